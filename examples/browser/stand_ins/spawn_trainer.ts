/** In a page, for src/client/spawn_trainer.ts. */

export function spawnTrainer(): Worker {
  return new Worker(new URL("./trainer.js", import.meta.url), { type: "module" });
}
