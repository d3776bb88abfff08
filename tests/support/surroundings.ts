/** Surroundings in which a program is started, where this system lets a test make them. */

const isLinuxRoot = Deno.build.os === "linux" && Deno.uid() === 0;

/** Root without the right to write what its modes forbid: like any other user. */
export const WITHOUT_OVERRIDE = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];

export const canDropOverride = isLinuxRoot && works([...WITHOUT_OVERRIDE, "true"]);

/** A network of its own, whose firewall drops UDP to a port without a word. */
export function behindFirewall(port: number): string[] {
  const rule = `iptables -A INPUT -p udp --dport ${port} -j DROP`;
  return ["unshare", "-n", "sh", "-c", `ip link set lo up && ${rule} && exec "$0" "$@"`];
}

export const canHaveFirewall = isLinuxRoot && works([...behindFirewall(9), "true"]);

function works([command = "", ...args]: readonly string[]): boolean {
  try {
    return new Deno.Command(command, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false; // not installed
  }
}
