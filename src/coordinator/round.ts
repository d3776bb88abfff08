/**
 * The life of a run as a pure state machine: (state, event) -> (state, effects). No clock, no I/O.
 *
 * gathering -> training(r) -> closing(r) -> training(r+1) ... -> finishing -> finished
 */

import { select, share } from "./selection.ts";

export type ClientId = string;

/** What the operator asked for. */
export interface Plan {
  /** Rounds to close before the run finishes. */
  readonly rounds: number;
  /** A round begins only with so many clients present. */
  readonly minClients: number;
  /** How many of the clients present are selected: a number, or a fraction in (0, 1]. */
  readonly clientsPerRound: { readonly number: number } | { readonly fraction: number };
  /** Fraction of the selected, in (0, 1], after whose updates the grace period runs. */
  readonly quorum: number;
  /** The run stops once this fraction of the clients, in (0, 1], has converged. */
  readonly convergedFraction: number;
  readonly seed: number;
}

/** Why a run stops: a word for programs and a sentence for people. */
export interface Stop {
  readonly code: "rounds" | "target" | "plateau" | "converged";
  readonly sentence: string;
}

/** Why a round closes. */
export type CloseCause = "complete" | "quorum" | "deadline";

/** A client as the machine sees it. */
export interface Member {
  /** Training samples it declared. */
  readonly samples: number;
  /** It said that its model no longer improves: it stays, and is selected no more. */
  readonly converged: boolean;
  /** False once it left or fell silent; then only one that has converged stays known. */
  readonly present: boolean;
}

/** `lost`: its client left; when it comes back in time, the assignment is open again. */
export type AssignmentState = "open" | "answered" | "lost";

export interface Assignment {
  readonly taskId: number;
  /** Declared at selection: the most an update may claim, whatever a later Hello says. */
  readonly samples: number;
  readonly state: AssignmentState;
}

export interface OpenRound {
  readonly round: number;
  readonly assignments: ReadonlyMap<ClientId, Assignment>;
  readonly graceRuns: boolean;
}

export interface RunState {
  readonly plan: Plan;
  readonly phase: "gathering" | "training" | "closing" | "finishing" | "finished";
  /** Rounds closed so far: the round of the newest model. */
  readonly closedRounds: number;
  /** Rounds begun, with those abandoned: seeds the selection. */
  readonly attempts: number;
  readonly nextTaskId: number;
  readonly members: ReadonlyMap<ClientId, Member>;
  /** While training and closing. */
  readonly open: OpenRound | undefined;
  /** Why the run stops, from finishing on. */
  readonly reason: Stop | undefined;
}

export type RunEvent =
  | { readonly kind: "joined"; readonly client: ClientId; readonly samples: number }
  /** Left by Leave, or silent for too long. */
  | { readonly kind: "left"; readonly client: ClientId }
  | { readonly kind: "converged"; readonly client: ClientId }
  /** The vault has accepted the client's update. */
  | { readonly kind: "answered"; readonly client: ClientId; readonly taskId: number }
  | { readonly kind: "graceOver"; readonly round: number }
  | { readonly kind: "deadline"; readonly round: number }
  /** The vault has made the model of this round. */
  | { readonly kind: "closed"; readonly round: number }
  | { readonly kind: "stop"; readonly reason: Stop }
  /** Every client has confirmed the final model, or had its time. */
  | { readonly kind: "finished" };

export type Effect =
  | { readonly kind: "begin"; readonly open: OpenRound }
  /** The round that was open when the server ended goes on. */
  | { readonly kind: "resume"; readonly open: OpenRound }
  /** The client came back while its assignment was lost: tell it again. */
  | { readonly kind: "reassign"; readonly client: ClientId; readonly round: number }
  | { readonly kind: "startGrace"; readonly round: number }
  | { readonly kind: "close"; readonly round: number; readonly cause: CloseCause }
  /** Nobody answered and nobody is left to: what was begun is forgotten. */
  | { readonly kind: "abandon"; readonly round: number }
  | { readonly kind: "finish"; readonly reason: Stop }
  | { readonly kind: "end" };

export interface Step {
  readonly state: RunState;
  readonly effects: readonly Effect[];
}

export function newRun(plan: Plan): RunState {
  return {
    plan,
    phase: "gathering",
    closedRounds: 0,
    attempts: 0,
    nextTaskId: 2,
    members: new Map(),
    open: undefined,
    reason: undefined,
  };
}

/** What a state directory remembers of a run. */
export interface Remembered {
  readonly closedRounds: number;
  readonly nextTaskId: number;
  /** Everybody with a session. */
  readonly clients: readonly (Member & { readonly client: ClientId })[];
  /** Why the run ends, once its final model is saved. */
  readonly ending: Stop | undefined;
  readonly open:
    | {
      readonly assigned: readonly { client: ClientId; taskId: number; samples: number }[];
      readonly answered: readonly ClientId[];
    }
    | undefined;
}

/** The state of a run that goes on: who was present still is, until it stays silent. */
export function resumedRun(plan: Plan, remembered: Remembered): Step {
  const { closedRounds, nextTaskId, clients, ending, open } = remembered;
  const members = new Map<ClientId, Member>();
  for (const { client, samples, converged, present } of clients) {
    if (present || converged) members.set(client, { samples, converged, present });
  }
  const state: RunState = {
    ...newRun(plan),
    closedRounds,
    nextTaskId: Math.max(2, nextTaskId + nextTaskId % 2),
    attempts: nextTaskId, // another selection than any before
    members,
  };
  if (ending !== undefined) return finish(state, ending);
  if (open === undefined) {
    return closedRounds < plan.rounds ? gather(state) : finish(state, roundsDone(closedRounds));
  }
  const assignments = new Map<ClientId, Assignment>();
  for (const { client, taskId, samples } of open.assigned) {
    const member = members.get(client);
    const able = member?.present === true && !member.converged;
    const answered = open.answered.includes(client);
    assignments.set(client, {
      taskId,
      samples,
      state: answered ? "answered" : able ? "open" : "lost",
    });
  }
  const round: OpenRound = { round: closedRounds + 1, assignments, graceRuns: false };
  const settled = settle({ ...state, phase: "training", open: round });
  return { state: settled.state, effects: [{ kind: "resume", open: round }, ...settled.effects] };
}

/** Applies one event. Events that no longer matter (an old deadline, a late answer) change nothing. */
export function step(state: RunState, event: RunEvent): Step {
  switch (event.kind) {
    case "joined":
      return joined(state, event);
    case "left":
      return left(state, event.client);
    case "converged":
      return converged(state, event.client);
    case "answered":
      return settle(mark(state, event.client, "answered", event.taskId));
    case "graceOver":
      return isTraining(state, event.round) && answeredCount(state) > 0
        ? close(state, "quorum")
        : unchanged(state);
    case "deadline":
      return isTraining(state, event.round) ? deadline(state) : unchanged(state);
    case "closed":
      return closed(state, event.round);
    case "stop":
      return stop(state, event.reason);
    case "finished":
      return state.phase === "finishing"
        ? { state: { ...state, phase: "finished" }, effects: [{ kind: "end" }] }
        : unchanged(state);
    default:
      return event satisfies never;
  }
}

function joined(state: RunState, event: Extract<RunEvent, { kind: "joined" }>): Step {
  const { client, samples } = event;
  const known = state.members.get(client);
  const members = new Map(state.members);
  members.set(client, { samples, converged: known?.converged ?? false, present: true });
  const next = { ...state, members };
  if (next.phase === "gathering") return gather(next);
  const { phase, open } = next;
  const lost = open?.assignments.get(client)?.state === "lost" && known?.converged !== true;
  if (phase === "training" && lost) {
    const reassign: Effect = { kind: "reassign", client, round: open.round };
    return { state: mark(next, client, "open"), effects: [reassign] };
  }
  return unchanged(next);
}

function left(state: RunState, client: ClientId): Step {
  const member = state.members.get(client);
  if (member === undefined || !member.present) return unchanged(state);
  const members = new Map(state.members);
  if (member.converged) members.set(client, { ...member, present: false });
  else members.delete(client);
  const next = mark({ ...state, members }, client, "lost");
  return next.phase === "gathering" ? gather(next) : settle(next);
}

function converged(state: RunState, client: ClientId): Step {
  const member = state.members.get(client);
  if (member === undefined || member.converged) return unchanged(state);
  const members = new Map(state.members).set(client, { ...member, converged: true });
  const next = mark({ ...state, members }, client, "lost");
  const reason = convergence(next);
  return reason === undefined ? settle(next) : stop(next, reason);
}

/** Why the run stops, once enough of those who are here or have converged did converge. */
function convergence({ plan, members }: RunState): Stop | undefined {
  const known = [...members.values()].filter((each) => each.present || each.converged);
  const count = known.filter((each) => each.converged).length;
  if (count === 0 || count < share(plan.convergedFraction, known.length)) return undefined;
  return { code: "converged", sentence: `${count} of ${known.length} clients have converged` };
}

function gather(state: RunState): Step {
  // A client that left may have been the last one that had not converged.
  const reason = convergence(state);
  if (reason !== undefined) return finish(state, reason);
  const present = [...state.members].filter(([, member]) => member.present);
  const eligible = present.filter(([, member]) => !member.converged).map(([client]) => client);
  if (eligible.length === 0 || present.length < state.plan.minClients) {
    return unchanged({ ...state, phase: "gathering", open: undefined });
  }
  const chosen = select(eligible, state.plan, state.attempts);
  const assignments = new Map<ClientId, Assignment>();
  let taskId = state.nextTaskId;
  for (const client of chosen) {
    const samples = state.members.get(client)?.samples ?? 0;
    assignments.set(client, { taskId, samples, state: "open" });
    taskId += 2; // evaluate tasks have the odd ids
  }
  const open: OpenRound = { round: state.closedRounds + 1, assignments, graceRuns: false };
  return {
    state: {
      ...state,
      phase: "training",
      open,
      attempts: state.attempts + 1,
      nextTaskId: taskId,
    },
    effects: [{ kind: "begin", open }],
  };
}

/** Closes the round when nobody is left to answer; starts the grace period at quorum. */
function settle(state: RunState): Step {
  if (state.phase !== "training" || state.open === undefined) return unchanged(state);
  const { round, assignments, graceRuns } = state.open;
  const states = [...assignments.values()].map((assignment) => assignment.state);
  const answered = answeredCount(state);
  if (!states.includes("open")) return answered > 0 ? close(state, "complete") : abandon(state);
  const quorum = Math.max(1, share(state.plan.quorum, assignments.size));
  if (answered >= quorum && !graceRuns) {
    return {
      state: { ...state, open: { ...state.open, graceRuns: true } },
      effects: [{ kind: "startGrace", round }],
    };
  }
  return unchanged(state);
}

function deadline(state: RunState): Step {
  return answeredCount(state) > 0 ? close(state, "deadline") : abandon(state);
}

function close(state: RunState, cause: CloseCause): Step {
  const round = state.closedRounds + 1;
  return { state: { ...state, phase: "closing" }, effects: [{ kind: "close", round, cause }] };
}

function abandon(state: RunState): Step {
  const round = state.closedRounds + 1;
  const again = gather({ ...state, open: undefined });
  return { state: again.state, effects: [{ kind: "abandon", round }, ...again.effects] };
}

function closed(state: RunState, round: number): Step {
  if (state.phase !== "closing" || round !== state.closedRounds + 1) {
    return unchanged(state);
  }
  const next: RunState = { ...state, closedRounds: round, open: undefined };
  // A stop that came while the vault was at work waited for the model it was making.
  if (next.reason !== undefined) return finish(next, next.reason);
  if (round >= state.plan.rounds) return finish(next, roundsDone(round));
  return gather(next);
}

function stop(state: RunState, reason: Stop): Step {
  switch (state.phase) {
    case "gathering":
      return finish(state, reason);
    case "training": {
      const finished = finish({ ...state, open: undefined }, reason);
      const round = state.closedRounds + 1;
      return { ...finished, effects: [{ kind: "abandon", round }, ...finished.effects] };
    }
    case "closing":
      return unchanged({ ...state, reason: state.reason ?? reason });
    case "finishing":
    case "finished":
      return unchanged(state);
    default:
      return state.phase satisfies never;
  }
}

function finish(state: RunState, reason: Stop): Step {
  return {
    state: { ...state, phase: "finishing", open: undefined, reason },
    effects: [{ kind: "finish", reason }],
  };
}

function roundsDone(count: number): Stop {
  return { code: "rounds", sentence: `${count} rounds are done` };
}

/** Sets an assignment's state. What was answered stays answered; another task id changes nothing. */
function mark(
  state: RunState,
  client: ClientId,
  to: AssignmentState,
  taskId?: number,
): RunState {
  const assignment = state.open?.assignments.get(client);
  if (state.open === undefined || assignment === undefined) return state;
  if (assignment.state === "answered" || assignment.state === to) return state;
  if (taskId !== undefined && taskId !== assignment.taskId) return state;
  const assignments = new Map(state.open.assignments).set(client, { ...assignment, state: to });
  return { ...state, open: { ...state.open, assignments } };
}

function answeredCount(state: RunState): number {
  const assignments = [...(state.open?.assignments.values() ?? [])];
  return assignments.filter((assignment) => assignment.state === "answered").length;
}

function isTraining(state: RunState, round: number): boolean {
  return state.phase === "training" && state.open?.round === round;
}

function unchanged(state: RunState): Step {
  return { state, effects: [] };
}
