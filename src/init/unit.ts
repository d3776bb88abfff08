/** Units for systemd 250 and newer: a server's, and an edge node's, each with the least that works. */

/** What runs under systemd, and the file that says how. */
export const UNITS = { serve: "tributary.service", join: "tributary-join.service" } as const;

export type Role = keyof typeof UNITS;

export interface UnitOptions {
  /** The executable's absolute path. */
  readonly executable: string;
}

/**
 * The unit's text.
 * @throws {RangeError} for a path that systemd would not start; its message ends a sentence about it.
 */
export function unit(role: Role, { executable }: UnitOptions): string {
  if (!/^\/[^\s"'\\%$]+$/.test(executable)) {
    throw new RangeError(
      "but must be an absolute path without blanks, quotes, backslashes, % and $",
    );
  }
  const [head, own] = role === "serve" ? serveParts(executable) : joinParts(executable);
  return `${head}\n${own}\n${ENDING}\n${SANDBOX}\n${INSTALL}`;
}

function serveParts(executable: string): [head: string, own: string] {
  return [
    `\
# A Tributary server: /etc/systemd/system/${UNITS.serve}
# Its settings: /etc/tributary/tributary.toml, which root alone need be able to read. State: /var/lib/tributary
[Unit]
Description=Tributary, a federated-learning server
After=network-online.target
Wants=network-online.target

[Service]
# exec, not notify: the server tells systemd nothing; it says on /readyz when it is ready.
Type=exec
LoadCredential=tributary.toml:/etc/tributary/tributary.toml
# For TLS, with cert and key of these names in %d, i.e. /run/credentials/${UNITS.serve}:
#LoadCredential=server.pem:/etc/tributary/server.pem
#LoadCredential=server-key.pem:/etc/tributary/server-key.pem
ExecStart=${executable} serve --config \${CREDENTIALS_DIRECTORY}/tributary.toml \\
  --state \${STATE_DIRECTORY}
StateDirectory=tributary
StateDirectoryMode=0700
WorkingDirectory=%S/tributary
`,
    `\
# A run that is over ends with 0 and is not started again; the next run takes an empty state directory.
Restart=on-failure`,
  ];
}

function joinParts(executable: string): [head: string, own: string] {
  return [
    `\
# An edge node of Tributary: /etc/systemd/system/${UNITS.join}
# Write your server's addresses and your data into the two lines with Environment=.
[Unit]
Description=Tributary, an edge node that trains for a federation
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
# Addresses as \`serve\` prints them, with blanks between them; write %% for %.
Environment="ADDRESSES=mqtt://127.0.0.1:1883/default"
# What --data takes. The node may read what any user may, but nothing under /home, /root and /tmp.
Environment="DATA=%S/tributary-join/train.csv"
# More options, with blanks between them, e.g. --ca /etc/tributary/ca.pem
Environment="OPTIONS="
# Where the server wants tokens: a file that root alone need be able to read.
#LoadCredential=token:/etc/tributary/token
#Environment="OPTIONS=--token-file %d/token"
# %H, the machine's name, is the client's id: one that stays when the node starts again.
ExecStart=${executable} join $ADDRESSES --id %H --data \${DATA} \\
  --state \${STATE_DIRECTORY} --out \${STATE_DIRECTORY}/model.safetensors $OPTIONS
StateDirectory=tributary-join
StateDirectoryMode=0700
WorkingDirectory=%S/tributary-join
# Others on this machine come first.
Nice=10
`,
    "Restart=on-failure",
  ];
}

/** The program's exit codes: src/cli/exit.ts. */
const ENDING = `\
# 2: a setting or this machine must be changed first; trying again would not help.
RestartPreventExitStatus=2
RestartSec=5
# SIGTERM says good-bye to whoever is connected, which takes at most 5 s; a second one would cut it short.
KillSignal=SIGTERM
KillMode=mixed
TimeoutStopSec=10
`;

/** Whoever reads the unit is told there why it has what looks lax. */
const SANDBOX = `\
DynamicUser=yes
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
# The state directory is all that can be written, with /tmp, where libddsc is unpacked.
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateMounts=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateUsers=yes
PrivateIPC=yes
ProtectProc=invisible
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
KeyringMode=private
# AF_NETLINK: libddsc and the C library ask the kernel for network interfaces by it.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
# @pkey: V8 guards the machine code that it makes with memory protection keys.
SystemCallFilter=@system-service @pkey
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
LimitNOFILE=65536
# Not MemoryDenyWriteExecute: V8 compiles JavaScript and WebAssembly to machine code while it runs.
`;

const INSTALL = `\
[Install]
WantedBy=multi-user.target
`;
