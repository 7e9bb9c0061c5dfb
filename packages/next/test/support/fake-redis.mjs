import { once } from "node:events";
import { createServer } from "node:net";

const INFO = "redis_version:7.4.0\r\nmaxmemory_policy:noeviction\r\n";
const USUAL = {
  info: () => INFO,
  exists: () => 1,
  script: (_, ...shas) => shas.map(() => 1),
  evalsha: () => "1",
  // Blocks for ever.
  xread: () => undefined,
};

/** A Redis with one's own answers, for what a real one does at will of nobody: `{ info: (...args) => new Error() }`. */
export async function fakeRedis(answers = {}, port = 0) {
  const sockets = new Set();
  const asked = [];
  const server = createServer((socket) => {
    let rest = "";
    let queued;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    socket.setEncoding("latin1").on("data", (data) => {
      const [commands, left] = commandsIn(rest + data);
      rest = left;
      for (const [name, ...args] of commands) {
        asked.push(name);
        if (name === "multi") queued = [];
        const key = name === "eval" ? "evalsha" : name;
        const usual = name === "exec" ? () => queued : (USUAL[key] ?? (() => "OK"));
        const answer = (answers[key] ?? usual)(...args);
        const isQueued = queued && name !== "multi" && name !== "exec";
        if (isQueued) queued.push(answer);
        if (name === "exec") queued = undefined;
        if (answer !== undefined) socket.write(reply(isQueued ? "QUEUED" : answer));
        if (name === "quit") socket.end();
      }
    });
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  };
  return { port: server.address().port, asked, sockets, close };
}

function commandsIn(text) {
  const commands = [];
  for (;;) {
    const head = /^\*(\d+)\r\n/.exec(text);
    if (!head) return [commands, text];
    const parts = [];
    let at = head[0].length;
    while (parts.length < Number(head[1])) {
      const length = /^\$(\d+)\r\n/.exec(text.slice(at));
      if (!length) return [commands, text];
      at += length[0].length;
      if (text.length < at + Number(length[1]) + 2) return [commands, text];
      parts.push(text.slice(at, at + Number(length[1])));
      at += Number(length[1]) + 2;
    }
    commands.push([parts[0].toLowerCase(), ...parts.slice(1)]);
    text = text.slice(at);
  }
}

function reply(answer) {
  if (answer instanceof Error) return `-${answer.message}\r\n`;
  if (Array.isArray(answer)) return `*${answer.length}\r\n${answer.map(reply).join("")}`;
  return typeof answer === "number" ? `:${answer}\r\n` : `$${answer.length}\r\n${answer}\r\n`;
}
