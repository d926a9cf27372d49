import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

// `npm run kill-matrix`: every cell, and the table at the end; --table FILE keeps it; --stores Azurite,GCS runs those alone.

const { values } = parseArgs({ options: { table: { type: 'string' }, stores: { type: 'string' } } })
const root = join(import.meta.dirname, '../..')
const table =
  values.table === undefined ? join(mkdtempSync(join(tmpdir(), 'md-kills-')), 'table') : resolve(values.table)
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'lab', 'test/kill-matrix'],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      MLFLOW_DOCTOR_KILL_MATRIX: 'all',
      MLFLOW_DOCTOR_KILL_TABLE: table,
      ...(values.stores === undefined ? {} : { MLFLOW_DOCTOR_KILL_STORES: values.stores }),
    },
  },
)
try {
  process.stdout.write(readFileSync(table, 'utf8'))
} catch {
  // The run ended before it had a table, and has said why.
}
process.exitCode = status ?? 1
