/** The text after `--data`: which files hold the samples, and which share of them is wanted. */

import { DatasetError } from "./dataset.ts";
import { mnistFiles, type MnistPart } from "./mnist.ts";
import type { PartitionOptions } from "./partition.ts";

/** One share of a partition; `index` counts from 0. */
export interface Share extends PartitionOptions {
  readonly index: number;
}

export interface DatasetSpec {
  /** One CSV file, or features and labels as two IDX or two .npy files. */
  readonly paths: readonly [string] | readonly [string, string];
  /** Set when the paths lead into the MNIST package. */
  readonly mnist?: MnistPart;
  readonly share?: Share;
  /** Each feature is divided by it; left out: 255 for bytes, 1 for all else. */
  readonly divisor?: number;
  readonly label?: string;
  readonly header?: boolean;
  readonly classes?: readonly string[];
}

const OPTIONS = ["share", "alpha", "seed", "scale", "label", "header", "classes"] as const;
type OptionName = typeof OPTIONS[number];
type Options = Partial<Record<OptionName, string>>;

const CSV_ONLY = ["label", "header", "classes"] as const;

/**
 * Reads `train.csv`, `images.idx,labels.idx`, `X.npy,y.npy`, `mnist` or `mnist:test`, each
 * optionally with `:name=value,...`: `share=K/N` with `alpha` and `seed`, `scale` (a divisor), and
 * for CSV `label`, `header=yes|no`, `classes=NAME|NAME`.
 *
 * @throws DatasetError
 */
export function parseSpec(spec: string): DatasetSpec {
  const mnist = /^mnist(?::(train|test))?(?=$|[:,])/.exec(spec);
  const suffix = mnist ? spec.slice(mnist[0].length) : /:[a-z]+=[^:]*$/.exec(spec)?.[0] ?? "";
  const options = parseOptions(suffix.slice(1), spec);
  const shared = { ...parseShare(options), ...parseDivisor(options) };
  if (mnist) {
    refuse(options, [...CSV_ONLY, "scale"], "mnist");
    const part = mnist[1] === "test" ? "test" : "train";
    return { ...shared, mnist: part, paths: mnistFiles(part) };
  }
  const [first = "", second, ...rest] = spec.slice(0, spec.length - suffix.length).split(",");
  if (first === "" || second === "" || rest.length > 0) {
    throw new DatasetError(
      `${JSON.stringify(spec)} names no data: give FILE.csv, IMAGES.idx,LABELS.idx, ` +
        `X.npy,y.npy or mnist`,
    );
  }
  if (second !== undefined) {
    refuse(options, CSV_ONLY, "a pair of files");
    return { ...shared, paths: [first, second] };
  }
  return { ...shared, ...parseCsvOptions(options), paths: [first] };
}

function parseOptions(text: string, spec: string): Options {
  const options: Options = {};
  for (const piece of text.split(",").filter(Boolean)) {
    const [, name, value] = /^([a-z]+)=(.+)$/.exec(piece) ?? [];
    const known = OPTIONS.find((option) => option === name);
    if (known === undefined || value === undefined) {
      const parts = [
        ...(spec.startsWith("mnist:") ? ["train", "test"] : []),
        ...OPTIONS.map((option) => `${option}=...`),
      ];
      throw new DatasetError(
        `${JSON.stringify(spec)}: ${piece} is not one of ${parts.join(", ")}`,
      );
    }
    options[known] = value;
  }
  return options;
}

function parseShare({ share, alpha, seed }: Options): { share?: Share } {
  if (share === undefined) {
    if (alpha === undefined && seed === undefined) return {};
    throw new DatasetError("alpha and seed need share=K/N beside them");
  }
  const [, index, shares] = (/^(\d+)\/(\d+)$/.exec(share) ?? []).map(Number);
  if (index === undefined || shares === undefined || index < 1 || index > shares) {
    throw new DatasetError(`share=${share} must be K/N with K of 1 to N, such as 1/5`);
  }
  return {
    share: {
      index: index - 1,
      shares,
      alpha: parsePositive("alpha", alpha ?? "0.5"),
      seed: parseSeed(seed ?? "1"),
    },
  };
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (Number.isSafeInteger(seed)) return seed;
  throw new DatasetError(`seed=${text} must be an integer`);
}

function parseDivisor({ scale }: Options): { divisor?: number } {
  return scale === undefined ? {} : { divisor: parsePositive("scale", scale) };
}

function parsePositive(name: OptionName, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new DatasetError(`${name}=${text} must be a positive number`);
}

function parseCsvOptions({ label, header, classes }: Options) {
  if (header !== undefined && header !== "yes" && header !== "no") {
    throw new DatasetError(`header=${header} must be yes or no`);
  }
  return {
    ...(label === undefined ? {} : { label }),
    ...(header === undefined ? {} : { header: header === "yes" }),
    ...(classes === undefined ? {} : { classes: classes.split("|") }),
  };
}

function refuse(options: Options, names: readonly OptionName[], what: string): void {
  const name = names.find((option) => options[option] !== undefined);
  if (name !== undefined) throw new DatasetError(`${name}= does not apply to ${what}`);
}
