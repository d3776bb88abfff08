import assert from "node:assert/strict";
import { mnistFiles } from "../../../src/client/datasets/mnist.ts";
import { parseSpec } from "../../../src/client/datasets/spec.ts";

for (
  const [spec, expected] of [
    ["train.csv", { paths: ["train.csv"] }],
    ["C:\\data\\train.csv", { paths: ["C:\\data\\train.csv"] }],
    ["images.idx,labels.idx", { paths: ["images.idx", "labels.idx"] }],
    ["X.npy,y.npy:scale=255", { paths: ["X.npy", "y.npy"], divisor: 255 }],
    [
      "train.csv:label=kind,header=yes,classes=a|b",
      { paths: ["train.csv"], label: "kind", header: true, classes: ["a", "b"] },
    ],
    [
      "train.csv:share=2/3",
      { paths: ["train.csv"], share: { index: 1, shares: 3, alpha: 0.5, seed: 1 } },
    ],
    ["mnist", { paths: mnistFiles("train"), mnist: "train" }],
    ["mnist:test", { paths: mnistFiles("test"), mnist: "test" }],
    ["mnist:share=5/5,alpha=0.1,seed=-3", {
      paths: mnistFiles("train"),
      mnist: "train",
      share: { index: 4, shares: 5, alpha: 0.1, seed: -3 },
    }],
    ["mnist:test,share=1/2", {
      paths: mnistFiles("test"),
      mnist: "test",
      share: { index: 0, shares: 2, alpha: 0.5, seed: 1 },
    }],
    ["mnist.csv", { paths: ["mnist.csv"] }],
  ] as const
) {
  Deno.test(`parseSpec() reads ${spec}`, () => {
    assert.deepEqual(parseSpec(spec), expected);
  });
}

for (
  const [spec, message] of [
    ["", /names no data: give FILE\.csv/],
    ["a,b,c", /names no data/],
    ["a.npy,", /names no data/],
    [":share=1/2", /names no data/],
    ["mnist:validation", /^"mnist:validation": validation is not one of train, test, share=/],
    ["mnist:share=0/5", /^share=0\/5 must be K\/N with K of 1 to N/],
    ["mnist:share=6/5", /share=6\/5/],
    ["mnist:share=half", /share=half/],
    ["mnist:share=1/5,alpha=0", /alpha=0 must be a positive number/],
    ["mnist:share=1/5,seed=x", /seed=x must be an integer/],
    ["mnist:alpha=0.5", /alpha and seed need share=K\/N/],
    ["mnist:label=x", /label= does not apply to mnist/],
    ["a.npy,b.npy:header=yes", /header= does not apply to a pair of files/],
    ["a.csv:header=maybe", /header=maybe must be yes or no/],
    ["a.csv:scale=-1", /scale=-1 must be a positive number/],
    ["a.csv:lable=x", /lable=x is not one of .*label=/],
  ] as const
) {
  Deno.test(`parseSpec() refuses ${JSON.stringify(spec)}`, () => {
    assert.throws(() => parseSpec(spec), { name: "DatasetError", message });
  });
}
