/** Which work an update claims to answer. */

import { Verdict } from "../contract/federation_pb.ts";
import type { OpenTask } from "./admission.ts";
import { type Judgement, refuse } from "./judgement.ts";
import type { Client } from "./roster.ts";
import type { RunState } from "./round.ts";

/** A train task if it is this client's and open; if not, why. */
export function openTask(
  { open, nextTaskId, phase }: RunState,
  { id, counted }: Pick<Client, "id" | "counted">,
  taskId: number,
): OpenTask & { readonly round: number } | Judgement {
  const assignment = open?.assignments.get(id);
  const answered = assignment?.taskId === taskId && assignment.state === "answered";
  if (answered || counted?.taskId === taskId) {
    return refuse(Verdict.DUPLICATE, "the update of this task counts already");
  }
  if (open !== undefined && assignment?.taskId === taskId) {
    if (phase !== "training") return refuse(Verdict.STALE, "the round is closing");
    const { round } = open;
    return { taskId, round, modelRound: round - 1, samples: assignment.samples };
  }
  if (phase === "finishing" || phase === "finished") {
    return refuse(Verdict.FINISHED, "the run has ended");
  }
  if (taskId >= nextTaskId) return refuse(Verdict.EARLY, "there is no such task yet");
  const others = [...(open?.assignments.values() ?? [])].some((each) => each.taskId === taskId);
  return others
    ? refuse(Verdict.UNAUTHORISED, "the task is another client's")
    : refuse(Verdict.STALE, "the task's round has closed");
}
