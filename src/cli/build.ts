/** Where this program is from. An executable is built with the commit in its place. */

export const build: string = "from sources";
