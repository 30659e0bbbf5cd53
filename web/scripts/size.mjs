// What a browser fetches before the agent desk works, compressed: fails over the budget (docs/web.md).
// Needs the build and its manifest.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const BUDGET_KB = 300
const PAGE = 'src/desk/DeskPage.vue'
const dist = new URL('../../gateway/web/dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'))

/** The files of a chunk and of all it imports statically. */
function files(name, seen = new Set()) {
  if (seen.has(name)) return []
  seen.add(name)
  const chunk = manifest[name]
  if (!chunk) throw new Error(`${name} is not in the manifest: build first`)
  return [chunk.file, ...(chunk.css ?? []), ...(chunk.imports ?? []).flatMap((next) => files(next, seen))]
}

const wanted = new Set(['index.html', ...files('index.html'), ...files(PAGE)])
const sizes = [...wanted].map((file) => [gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length / 1000, file])
sizes.sort((a, b) => b[0] - a[0])
const total = sizes.reduce((sum, [size]) => sum + size, 0)
for (const [size, file] of sizes) console.log(`${size.toFixed(1).padStart(7)} kB  ${file}`)
console.log(`${total.toFixed(1).padStart(7)} kB  first load of the desk, gzip (budget ${BUDGET_KB} kB)`)
if (total > BUDGET_KB) {
  console.error(`over the budget by ${(total - BUDGET_KB).toFixed(1)} kB: load what the desk does not need at once later`)
  process.exit(1)
}
