// `node peer.mjs <directory of Postgres's socket> <csv|xlsx> <file> [COPY statement]`: the export of a Node worker.
// Prints seconds and processor seconds. A csv is what COPY writes; an xlsx is written row by row, as exceljs's streaming
// writer does.
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import exceljs from "exceljs";
import pg from "pg";
import { to } from "pg-copy-streams";
import QueryStream from "pg-query-stream";

const COPY = 'COPY (SELECT * FROM "export_orders") TO STDOUT (FORMAT csv, HEADER)';
const [, , host, type, file, statement = COPY] = process.argv;
const client = new pg.Client({ host, user: "postgres", database: "postgres" });
await client.connect();

const begun = performance.now();
const cpu = process.cpuUsage();
await (type === "csv" ? csv() : xlsx());
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify([(performance.now() - begun) / 1000, (user + system) / 1e6]));
await client.end();

async function csv() {
  await pipeline(client.query(to(statement)), createWriteStream(file));
}

async function xlsx() {
  const rows = client.query(new QueryStream('SELECT * FROM "export_orders"', [], { batchSize: 1000 }));
  const workbook = new exceljs.stream.xlsx.WorkbookWriter({ filename: file, useStyles: true, useSharedStrings: false });
  const sheet = workbook.addWorksheet("Orders");
  for await (const row of rows) {
    sheet.columns ??= Object.keys(row).map((key) => ({ key, header: key, style: style(row[key]) }));
    sheet.addRow({ ...row, meta: JSON.stringify(row.meta) }).commit();
  }
  await workbook.commit();
}

function style(value) {
  return value instanceof Date ? { numFmt: "yyyy-mm-dd hh:mm:ss" } : {};
}
