// Starts the simulator: `node start.mjs PORT BUCKET FOLDER`. Serves until SIGTERM.

import { readFileSync } from "node:fs";
import { Miniflare } from "miniflare";

const [port, bucket, folder] = process.argv.slice(2);

const simulator = new Miniflare({
  host: "127.0.0.1",
  port: Number(port),
  modules: true,
  script: readFileSync(new URL("facade.mjs", import.meta.url), "utf8"),
  compatibilityDate: "2025-12-01",
  bindings: { BUCKET_NAME: bucket },
  r2Buckets: { BUCKET: bucket },
  r2Persist: folder,
  // Both would go to the network.
  telemetry: { enabled: false },
  cf: false,
});

process.on("SIGTERM", async () => {
  await simulator.dispose();
  process.exit(0);
});

await simulator.ready;
console.log(`bucket ${bucket} on port ${port}`);
