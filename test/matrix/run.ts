import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

// `npm run matrix`: every cell, or those that --only names; --table FILE gets the table.

const { values } = parseArgs({ options: { only: { type: 'string' }, table: { type: 'string' } } })
const root = join(import.meta.dirname, '../..')
const table = values.table === undefined ? {} : { MLFLOW_DOCTOR_MATRIX_TABLE: resolve(values.table) }
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'matrix'],
  { cwd: root, stdio: 'inherit', env: { ...process.env, MLFLOW_DOCTOR_MATRIX: values.only ?? 'all', ...table } },
)
process.exitCode = status ?? 1
