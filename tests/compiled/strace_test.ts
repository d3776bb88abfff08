import assert from "node:assert/strict";
import { destinations } from "./strace.ts";

// Lines as strace 6.1 writes them.
const TRACE = `
812 connect(20, {sa_family=AF_INET, sin_port=htons(1883), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
813 sendto(9, "x", 1, MSG_NOSIGNAL, {sa_family=AF_INET6, sin6_port=htons(53), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = 1
814 sendmsg(7, {msg_name={sa_family=AF_INET, sin_port=htons(7412), sin_addr=inet_addr("10.0.0.9")}, msg_namelen=16, msg_iov=[], msg_iovlen=0}, 0) = 4
815 sendmsg(5, {msg_name={sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, msg_namelen=12}, 0) = 20
816 connect(8, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = -1 ENOENT
817 sendmmsg(6, [{msg_hdr={msg_name={sa_family=AF_INET, sin_port=htons(1), sin_addr=inet_addr("127.0.0.2")}}}, {msg_hdr={msg_name={sa_family=AF_INET, sin_port=htons(2), sin_addr=inet_addr("192.0.2.7")}}}], 2, 0) = 2
818 connect(4, {sa_family=AF_UNSPEC, sa_data="\\0\\0"}, 16) = 0
819 sendto(3, "y", 1, MSG_NOSIGNAL, NULL, 0) = 1
820 setsockopt(11, SOL_IP, IP_MULTICAST_IF, [16777343], 4) = 0
820 sendmsg(11, {msg_name={sa_family=AF_INET, sin_port=htons(7), sin_addr=inet_addr("239.255.0.1")}, msg_namelen=16}, 0) = 16
820 sendmsg(12, {msg_name={sa_family=AF_INET, sin_port=htons(7), sin_addr=inet_addr("239.255.0.2")}, msg_namelen=16}, 0) = 16
`;

Deno.test("destinations() finds everybody a program spoke to", () => {
  assert.deepEqual([...destinations(TRACE)].sort(), [
    "10.0.0.9",
    "127.0.0.1",
    "127.0.0.2",
    "192.0.2.7",
    "2001:db8::1",
    "239.255.0.2",
    "netlink",
    "unix",
  ]);
});
