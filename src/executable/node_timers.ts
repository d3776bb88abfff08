/**
 * Timers of Node for packages. Deno gives them to what it loads as a package, as packages expect
 * `setTimeout(…).unref()`; in a bundle nothing is a package any more.
 */

import * as esbuild from "esbuild";

const TIMERS = ["setTimeout", "setInterval", "clearTimeout", "clearInterval"];

/** Goes to the top of each module that the plugin helped to make. */
export const NODE_TIMERS = `import * as $timers from "node:timers";`;

export const nodeTimers: esbuild.Plugin = {
  name: "Node's timers",
  setup(build) {
    const filter = /[\\/]node_modules[\\/].*\.[cm]?js$/;
    build.onLoad({ filter }, async ({ path }) => {
      const code = await Deno.readTextFile(path);
      if (!TIMERS.some((name) => code.includes(name))) return undefined;
      // esbuild tells the global ones from a package's own of the same name.
      const define = Object.fromEntries(TIMERS.map((name) => [name, `$timers.${name}`]));
      const { code: contents } = await esbuild.transform(code, { define });
      return { contents, loader: "js" };
    });
  },
};
