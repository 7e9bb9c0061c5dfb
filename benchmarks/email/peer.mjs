// Nodemailer's pool: `peer.mjs <port> <mails> <connections>`. Prints the seconds that the mails took, and of processor.
import { readFileSync } from "node:fs";
import nodemailer from "nodemailer";

const [port, count, connections, path] = process.argv.slice(2);
const raw = readFileSync(path);
const transport = nodemailer.createTransport({
  pool: true,
  host: "127.0.0.1",
  port: Number(port),
  ignoreTLS: true,
  maxConnections: Number(connections),
});
const envelope = { from: "app@example.com", to: ["ann@example.com"] };
const send = (mails) => Promise.all(Array.from({ length: mails }, () => transport.sendMail({ envelope, raw })));
await send(Number(connections) * 10);
const [began, cpu] = [performance.now(), process.cpuUsage()];
await send(Number(count));
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000, cpu: (user + system) / 1e6 }));
transport.close();
