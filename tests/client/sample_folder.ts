/** Small data sets that tests write for themselves, and a folder that is gone afterwards. */

import { join } from "node:path";
import { Random } from "../../src/client/random.ts";
import { LAYERS_TYPE } from "../../src/client/topology.ts";
import type { Topology } from "../../src/client/trainer.ts";

export class SampleFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async open(): Promise<SampleFolder> {
    return new SampleFolder(await Deno.makeTempDir({ prefix: "tributary-samples-" }));
  }

  async write(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(this.path, name);
    await Deno.writeFile(
      path,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** CSV of three clouds of points in the plane, far apart compared to their width. */
export function threeClouds(samples: number): string {
  const random = Random.seeded(7);
  const centres = [[0, 2], [-2, -1], [2, -1]] as const;
  let text = "x,y,label\n";
  for (let i = 0; i < samples; i++) {
    const [x, y] = centres[i % 3] as readonly [number, number];
    text += `${x + 0.3 * random.normal()},${y + 0.3 * random.normal()},${i % 3}\n`;
  }
  return text;
}

/** A topology of these layers, each `[class name, config]`. */
export function sequential(...layers: [string, Record<string, unknown>][]): Topology {
  const config = {
    layers: layers.map(([class_name, config]) => ({ class_name, config })),
  };
  return {
    type: LAYERS_TYPE,
    bytes: new TextEncoder().encode(JSON.stringify({ class_name: "Sequential", config })),
  };
}

/** Two features, three classes. */
export const CLOUDS_TOPOLOGY: Topology = sequential(
  ["Dense", { name: "hidden", batch_input_shape: [null, 2], units: 8, activation: "relu" }],
  ["Dense", { name: "scores", units: 3, activation: "softmax" }],
);
