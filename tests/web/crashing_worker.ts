/** A listener's Worker that dies of an uncaught error as soon as it is started. */

self.addEventListener("message", () => {
  throw new Error("the listener broke");
});
