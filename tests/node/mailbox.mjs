// A mail server by Nodemailer's author, which reads what comes with their parser: node mailbox.mjs CERTIFICATE KEY
// It wants STARTTLS, and the user "app" with the password "päss". It prints its port, then a line of JSON for each mail,
// and ends when its stdin does.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { load } from "./kit.mjs";

const { SMTPServer } = load("smtp-server");
const { simpleParser } = load("mailparser");

const [cert, key] = process.argv.slice(2).map((path) => readFileSync(path));
const addresses = (field) => (field?.value ?? []).map(({ name, address }) => [name, address]);
const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

const server = new SMTPServer({
  cert,
  key,
  onAuth: ({ username, password }, _session, done) =>
    username === "app" && password === "päss" ? done(null, { user: username }) : done(new Error("wrong password")),
  onData: (stream, session, done) => {
    simpleParser(stream).then((mail) => {
      const told = {
        secure: session.secure,
        user: session.user,
        sender: session.envelope.mailFrom.address,
        recipients: session.envelope.rcptTo.map(({ address }) => address),
        from: addresses(mail.from),
        to: addresses(mail.to),
        replyTo: addresses(mail.replyTo),
        subject: mail.subject,
        messageId: mail.messageId,
        text: mail.text,
        html: mail.html,
        headers: Object.fromEntries(mail.headerLines.map(({ key, line }) => [key, line])),
        attachments: mail.attachments.map(({ filename, contentType, cid, content }) => ({
          filename,
          contentType,
          cid,
          hash: hash(content),
        })),
      };
      console.log(JSON.stringify(told));
      done();
    }, done);
  },
});
server.listen(0, "127.0.0.1", () => console.log(server.server.address().port));
process.stdin.on("end", () => process.exit()).resume();
