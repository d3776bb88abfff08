/** How the help of every verb is set: in two columns, of which the first never crowds the second out. */

import { Help } from "commander";
import type { Output } from "./io.ts";
import { paint } from "./paint.ts";

/** A longer term stands on a line of its own, so that a terminal of 80 columns has room for what it means. */
const MOST_TERM_COLUMNS = 34;

/** For `Command.configureHelp`. */
export function helpLayout(output: Output): Partial<Help> {
  return {
    styleTitle: (title) => paint(output, "strong", title),
    subcommandTerm: (verb) => verb.name(),
    argumentDescription: ({ description }) => description, // its name says what a word is
    optionDescription(this: Help, option) {
      const text = Help.prototype.optionDescription.call(this, option);
      return text.replace(/\(default: "(.*)"\)$/, "(default: $1)"); // as it is typed
    },
    padWidth(this: Help, command, helper) {
      return Math.min(Help.prototype.padWidth.call(this, command, helper), MOST_TERM_COLUMNS);
    },
    formatItem(this: Help, term, termWidth, description, helper) {
      const set = (first: string) =>
        Help.prototype.formatItem.call(this, first, termWidth, description, helper);
      const isLong = description !== "" && helper.displayWidth(term) > termWidth;
      return isLong ? `  ${term}\n${set("")}` : set(term);
    },
  };
}
