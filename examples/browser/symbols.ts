/** Imported first: the symbols of `using`, where the browser does not know them yet. */

for (const name of ["dispose", "asyncDispose"] as const) {
  // The name that esbuild's `using` looks for, too.
  if (Symbol[name] === undefined) {
    Object.defineProperty(Symbol, name, { value: Symbol.for(`Symbol.${name}`) });
  }
}
