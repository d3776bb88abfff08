/** Two classes that a line parts: a model of six weights, and points to train it with. */

export const LINE_TOPOLOGY = JSON.stringify({
  class_name: "Sequential",
  config: {
    name: "line",
    layers: [{
      class_name: "Dense",
      config: { name: "scores", units: 2, activation: "softmax", batch_input_shape: [null, 2] },
    }],
  },
});

/** A CSV file's text. */
export function linePoints(count: number, seed: number): string {
  const rows = ["x,y,label"];
  for (let index = 0; index < count; index++) {
    const x = ((index * 37 + seed * 11) % 100) / 50 - 1;
    const y = ((index * 61 + seed * 7) % 100) / 50 - 1;
    rows.push(`${x},${y},${x > y ? 1 : 0}`);
  }
  return rows.join("\n") + "\n";
}
