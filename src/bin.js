#!/usr/bin/env node
// Plain JavaScript, and the first thing that runs: an older Node cannot even parse what follows, so it is told here.
import module from 'node:module'
import { join } from 'node:path'
import v8 from 'node:v8'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

/**
 * Whatever goes wrong beyond all handling must not look like exit code 1, "findings remain": health is unknown. The
 * message is left out, since nothing has taken the secrets out of it.
 */
const fail = (error) => {
  const name = error instanceof Error ? (error.code ?? error.name) : 'unknown error'
  process.stderr.write(`mlflow-doctor itself failed (${name}), so health is unknown. Please report it.\n`)
  process.exit(3)
}

if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `mlflow-doctor needs Node 22.19 or newer, and this is Node ${process.versions.node}: install a newer Node, or the Python package mlflow-doctor, which brings one along.\n`,
  )
  process.exitCode = 2
} else {
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)
  // V8 lets the space of young objects grow to some 100 MiB before it collects: listing 100,000 objects then peaks at 200 MiB
  // in place of 150, for a tenth of the time (bench/scan). Here memory counts, beside a training that needs it.
  v8.setFlagsFromString('--semi-space-growth-factor=1')
  // What sends files runs little JavaScript, and each function for a short while: code that is optimized early costs 10 MiB
  // and a tenth of the processor time here, and pays only where a function runs ten thousands of times. Garbage that has grown
  // old is collected once it is a quarter of the heap, which costs next to nothing and saves 20 MiB (bench/upload, 200 files).
  const sending = ['maglev=10000', 'maglev-osr=10000', 'turbofan=60000'].map((of) => `--invocation-count-for-${of}`)
  if (['upload', 'repair', 'guard'].includes(process.argv[2] ?? '')) {
    for (const flag of [...sending, '--heap-growing-percent=25']) v8.setFlagsFromString(flag)
  }
  // Half of the time of a short run is compiling: what was compiled is kept for the next one, where that can be written.
  const { XDG_CACHE_HOME: given = '', HOME: home = '' } = process.env
  const caches = given.startsWith('/') ? given : home.startsWith('/') ? join(home, '.cache') : undefined
  if (caches !== undefined) module.enableCompileCache(join(caches, 'mlflow-doctor', 'compiled'))
  const { main } = await import('./cli.ts')
  process.exitCode = await main(process.argv.slice(2))
}
