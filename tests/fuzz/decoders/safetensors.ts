/** Weights as clients upload them, judged against the model as the vault does. */

import { Admission } from "../../../src/weights/admission.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../src/weights/safetensors.ts";
import { isRejection, type Tensor } from "../../../src/weights/tensors.ts";
import type { Decoder } from "../decoder.ts";

function tensor(name: string, dtype: Tensor["dtype"], shape: number[], bytes: number): Tensor {
  return { name, dtype, shape, bytes: new Uint8Array(bytes) };
}

const MODEL = encodeSafetensors(
  new Map([
    ["a", tensor("a", "F32", [2, 3], 24)],
    ["b", tensor("b", "F16", [4], 8)],
    ["c", tensor("c", "I64", [], 8)],
  ]),
);

const global = decodeSafetensors(MODEL);
if (isRejection(global)) throw new Error("The model of this trial is no safetensors file");

export const safetensors: Decoder = {
  name: "safetensors update",
  // A block of values each for the update, the model and their sum.
  boundBytes: 4 * 2 ** 20,
  seeds: () => [
    MODEL,
    encodeSafetensors(
      new Map([
        ["c", tensor("c", "I64", [], 8)],
        ["b", tensor("b", "F16", [4], 8)],
        ["a", tensor("a", "F32", [2, 3], 24)],
      ]),
    ),
  ],
  decode: (bytes) => {
    const tensors = decodeSafetensors(bytes);
    if (isRejection(tensors)) return "refused";
    const admission = new Admission(global, { totalSamples: 10 });
    const rejection = admission.check({ client: "x", samples: 1, kind: "weights", tensors });
    return rejection === undefined ? "taken" : "refused";
  },
};
