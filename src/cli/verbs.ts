/** The program's verbs. Each loads only when it is called. */

import type { Verb } from "./program.ts";

export const verbs: Readonly<Record<string, Verb>> = {
  serve: {
    summary: "train one model with clients on several wires at once",
    load: () => import("./serve.ts"),
  },
  join: {
    summary: "train for a running server, with data of one's own",
    load: () => import("./join.ts"),
  },
  status: {
    summary: "show how far a running server is",
    load: () => import("./status.ts"),
  },
  runs: {
    summary: "list the runs that state directories hold",
    load: () => import("./runs.ts"),
  },
  rounds: {
    summary: "list a run's rounds, with whose updates made each model",
    load: () => import("./rounds.ts"),
  },
  models: {
    summary: "list the models that a run keeps, or export one",
    load: () => import("./models.ts"),
  },
  token: {
    summary: "make or revoke the tokens by which clients prove their ids",
    load: () => import("./token.ts"),
  },
  doctor: {
    summary: "see whether a server can work here, and what to do if not",
    load: () => import("./doctor.ts"),
  },
  completions: {
    summary: "print what bash, zsh or fish needs to complete this program's words",
    load: () => import("./completions.ts"),
  },
  init: {
    summary: "write a settings file to start from, and units for systemd",
    load: () => import("./init.ts"),
  },
  demo: {
    summary: "a server and a client on each wire, on this machine, with real data",
    load: () => import("./demo.ts"),
  },
  tls: {
    summary: "make certificates to try TLS with",
    load: () => import("./tls.ts"),
  },
  bench: {
    summary: "measure how fast models cross each wire on this machine",
    load: () => import("./bench.ts"),
  },
};
