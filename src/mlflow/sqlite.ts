import { existsSync } from 'node:fs'
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { Trouble } from '../errors.ts'
import { experimentOf, modelFoldersIn, modelOf, outputsIn, readEach, runOf, textIn, versionOf } from './answers.ts'
import { checkedId, checkedName } from './ids.ts'
import { databaseFile } from './tracking-uri.ts'
import type { Leniency, LoggedModel, Tracking } from './types.ts'

/** The schema revisions that a status may be written to: what MLflow 3.17.2 leaves behind (`alembic_version`). */
const writable: readonly string[] = ['dc11669786a5']
/** Milliseconds to wait for another process that is writing. */
const patienceMs = 2000
const ready = 2
const rowsPerPage = 500

type Sqlite = typeof import('node:sqlite')
type Row = Record<string, unknown>

/** Loads node:sqlite without its ExperimentalWarning; any other warning still gets through. */
const loadSqlite = async (): Promise<Sqlite> => {
  const emit = process.emitWarning
  process.emitWarning = ((...args: Parameters<typeof emit>) => {
    const [warning, type] = args as unknown[]
    const kind = typeof type === 'string' ? type : ((type as { type?: string } | undefined)?.type ?? '')
    if (kind === 'ExperimentalWarning' && /sqlite/i.test(String(warning))) return
    emit.apply(process, args)
  }) as typeof emit
  try {
    return await import('node:sqlite')
  } finally {
    process.emitWarning = emit
  }
}

const troubleOf = (file: string, error: unknown): Trouble => {
  const code = typeof error === 'object' && error !== null && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  const said = error instanceof Error ? error.message.slice(0, 200) : ''
  const what = `cannot read the tracking database ${file}`
  if (!existsSync(file))
    return new Trouble({
      kind: 'not-found',
      what,
      why: 'the file does not exist',
      todo: 'Set MLFLOW_TRACKING_URI to the tracking server or database, or run this in the folder in which the training runs',
      cause: error,
    })
  // SQLITE_BUSY and SQLITE_LOCKED.
  if (code === 5 || code === 6)
    return new Trouble({
      kind: 'conflict',
      what,
      why: 'another process is writing to it',
      todo: 'Try again when no MLflow process is writing',
      cause: error,
    })
  // SQLITE_NOTADB and SQLITE_CORRUPT.
  if (code === 26 || code === 11)
    return new Trouble({
      kind: 'unexpected-answer',
      what,
      why: code === 26 ? 'it is no SQLite database' : 'the database is damaged',
      todo: 'Check the path in MLFLOW_TRACKING_URI',
      cause: error,
    })
  return new Trouble({
    kind: /no such (table|column)/.test(said) ? 'unsupported' : 'unexpected-answer',
    what,
    why: `SQLite says "${said}"`,
    todo: /no such (table|column)/.test(said)
      ? 'Upgrade the database with: mlflow db upgrade, or check that the file is an MLflow tracking database'
      : 'Check the path in MLFLOW_TRACKING_URI, and that this user may read the file',
    cause: error,
  })
}

const notFound = (what: string): Trouble =>
  new Trouble({
    kind: 'not-found',
    what: `cannot read ${what}`,
    why: 'the tracking database has no such entry',
    todo: 'Check the id or name, and that MLFLOW_TRACKING_URI is the database that it was logged to',
  })

const modelColumns = `model_id, experiment_id, name, status, artifact_location, source_run_id,
  creation_timestamp_ms, last_updated_timestamp_ms, lifecycle_stage`
const runColumns = 'run_uuid, experiment_id, status, artifact_uri, start_time, end_time, lifecycle_stage'
const versionColumns =
  'name, version, source, run_id, status, status_message, creation_time, last_updated_time, storage_location'
/** A deleted version stays in the table (`STAGE_DELETED_INTERNAL`). */
const notDeleted = "current_stage IS NOT 'Deleted_Internal'"
const experimentColumns = 'experiment_id, name, artifact_location, lifecycle_stage'
const living = ({ deleted }: Leniency = {}): string =>
  deleted ? "lifecycle_stage <> ''" : "lifecycle_stage = 'active'"

/**
 * A tracking database without a server. Opened anew for each call and read-only, so that nothing is locked between calls and no
 * journal is left behind.
 * @throws Trouble `not-found` when the file is not there, `unexpected-answer` when it is no database.
 */
export const openSqlite = async (uri: string): Promise<Tracking> => {
  const { DatabaseSync: Database } = await loadSqlite()
  const file = databaseFile(uri)

  const using = <T>(readOnly: boolean, act: (db: DatabaseSync) => T): T => {
    let db: DatabaseSync | undefined
    try {
      // Opening for writing would make a file that is not there.
      if (!existsSync(file)) throw new Error('missing')
      db = new Database(file, { readOnly, timeout: patienceMs })
      return act(db)
    } catch (error) {
      throw error instanceof Trouble ? error : troubleOf(file, error)
    } finally {
      db?.close()
    }
  }
  const rows = (sql: string, ...values: SQLInputValue[]): Row[] =>
    using(true, (db) => db.prepare(sql).all(...values) as Row[])
  const one = (what: string, sql: string, ...values: SQLInputValue[]): Row => {
    const row = rows(sql, ...values)[0]
    if (!row) throw notFound(what)
    return row
  }
  const hasModels = (): boolean =>
    rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'logged_models'").length > 0
  /** Reads a table page by page along a unique column, so that no cursor stays open between pages. */
  const paged = function* (sql: string, key: string, ...values: SQLInputValue[]): Generator<Row> {
    for (let last: SQLInputValue = ''; ; ) {
      const page = rows(
        `${sql} AND CAST(${key} AS TEXT) > ? ORDER BY CAST(${key} AS TEXT) LIMIT ${rowsPerPage}`,
        ...values,
        last,
      )
      yield* page
      const end = page.at(-1)?.[key]
      if (page.length < rowsPerPage || end === undefined) return
      last = String(end)
    }
  }

  // Says at once when there is nothing to read.
  rows(`SELECT ${experimentColumns} FROM experiments LIMIT 1`)

  const model = (modelId: string): LoggedModel => {
    checkedId('model id', modelId)
    if (!hasModels()) throw notFound(`logged model ${modelId}`)
    return modelOf(
      one(
        `logged model ${modelId}`,
        `SELECT ${modelColumns} FROM logged_models WHERE model_id = ? AND lifecycle_stage = 'active'`,
        modelId,
      ),
    )
  }

  const versions = async function* (where: string, ...values: SQLInputValue[]) {
    const sql = `SELECT rowid, ${versionColumns} FROM model_versions WHERE ${notDeleted} ${where}`
    for (const row of paged(sql, 'rowid', ...values)) yield versionOf(row, textIn(row, 'storage_location'))
  }

  return {
    kind: 'sqlite',
    uri,
    experiment: async (by) => {
      const column = 'id' in by ? 'CAST(experiment_id AS TEXT)' : 'name'
      const value = 'id' in by ? checkedId('experiment id', by.id) : by.name
      const what = 'id' in by ? `experiment ${by.id}` : 'the experiment of that name'
      return experimentOf(one(what, `SELECT ${experimentColumns} FROM experiments WHERE ${column} = ?`, value))
    },
    experiments: async function* (_signal, leniency) {
      const sql = `SELECT ${experimentColumns} FROM experiments WHERE ${living(leniency)}`
      for (const row of paged(sql, 'experiment_id')) yield* readEach(() => experimentOf(row), leniency)
    },
    run: async (runId) =>
      runOf(one(`run ${runId}`, `SELECT ${runColumns} FROM runs WHERE run_uuid = ?`, checkedId('run id', runId))),
    runs: async function* (experimentId, _signal, leniency) {
      const sql = `SELECT ${runColumns} FROM runs WHERE ${living(leniency)} AND CAST(experiment_id AS TEXT) = ?`
      for (const row of paged(sql, 'run_uuid', checkedId('experiment id', experimentId)))
        yield* readEach(() => runOf(row), leniency)
    },
    record: async ({ runId }) => {
      const id = checkedId('run id', runId)
      const newest = rows('SELECT MAX(timestamp) AS newest FROM latest_metrics WHERE run_uuid = ?', id)[0]
      const history = rows("SELECT value FROM tags WHERE run_uuid = ? AND key = 'mlflow.log-model.history'", id)[0]
      const outputs = hasModels()
        ? rows(
            `SELECT destination_id FROM inputs
             WHERE source_type = 'RUN_OUTPUT' AND source_id = ? AND destination_type = 'MODEL_OUTPUT'`,
            id,
          )
        : []
      const lastMetricAt = Number(newest?.newest ?? 0)
      return {
        ...(lastMetricAt > 0 ? { lastMetricAt } : {}),
        outputs: outputsIn(outputs.map((row) => textIn(row, 'destination_id'))),
        modelFolders: modelFoldersIn(textIn(history, 'value')),
      }
    },
    children: async function* ({ experimentId, runId }) {
      const sql = `SELECT ${runColumns} FROM runs WHERE lifecycle_stage = 'active' AND CAST(experiment_id AS TEXT) = ?
        AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId' AND value = ?)`
      const ids = [checkedId('experiment id', experimentId), checkedId('run id', runId)]
      for (const row of paged(sql, 'run_uuid', ...ids)) yield runOf(row)
    },
    tagged: async function* (tag, value) {
      const sql = `SELECT ${runColumns} FROM runs WHERE lifecycle_stage = 'active'
        AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)`
      for (const row of paged(sql, 'run_uuid', tag, value)) yield runOf(row)
    },
    model: async (modelId) => model(modelId),
    models: async function* (of, _signal, leniency) {
      if (!hasModels()) return
      const { experimentId, runId } = of
      const sql = `SELECT ${modelColumns} FROM logged_models WHERE ${living(leniency)}`
      if (runId === undefined)
        for (const row of paged(
          `${sql} AND CAST(experiment_id AS TEXT) = ?`,
          'model_id',
          checkedId('experiment id', experimentId),
        ))
          yield* readEach(() => modelOf(row), leniency)
      else {
        // A model may be linked to a run that did not create it.
        const linked = `${sql} AND (source_run_id = ? OR model_id IN (SELECT destination_id FROM inputs
          WHERE source_type = 'RUN_OUTPUT' AND source_id = ? AND destination_type = 'MODEL_OUTPUT'))`
        for (const row of paged(linked, 'model_id', checkedId('run id', runId), runId))
          yield* readEach(() => modelOf(row), leniency)
      }
    },
    knows: async (id) => {
      const known = (table: string, column: string) =>
        rows(`SELECT 1 FROM ${table} WHERE ${column} = ? LIMIT 1`, id).length > 0
      return known('runs', 'run_uuid') || (hasModels() && known('logged_models', 'model_id'))
    },
    version: async (name, version) => {
      checkedName(name)
      const what = `version ${version} of model ${name}`
      const sql = `SELECT ${versionColumns} FROM model_versions WHERE ${notDeleted} AND name = ?`
      const row = version.startsWith('@')
        ? one(
            what,
            `${sql} AND version = (SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?)`,
            name,
            name,
            version.slice(1),
          )
        : /^\d+$/.test(version)
          ? one(what, `${sql} AND version = ?`, name, Number(version))
          : version.toLowerCase() === 'latest'
            ? one(what, `${sql} ORDER BY version DESC LIMIT 1`, name)
            : one(what, `${sql} AND lower(current_stage) = lower(?) ORDER BY version DESC LIMIT 1`, name, version)
      return versionOf(row, textIn(row, 'storage_location'))
    },
    versions: () => versions(''),
    versionsOf: (source) =>
      'runId' in source
        ? versions('AND run_id = ?', checkedId('run id', source.runId))
        : versions('AND source = ?', `models:/${checkedId('model id', source.modelId)}`),
    setModelReady: async (modelId) => {
      const { status } = model(modelId)
      if (status === 'READY') return
      using(false, (db) => {
        const revision = textIn(db.prepare('SELECT version_num FROM alembic_version').get(), 'version_num')
        if (revision === undefined || !writable.includes(revision))
          throw new Trouble({
            kind: 'unsupported',
            what: `cannot set logged model ${modelId} to READY`,
            why: `the schema revision of the tracking database (${revision ?? 'none'}) is not one that mlflow-doctor knows`,
            todo: 'Start an MLflow server on the database and set MLFLOW_TRACKING_URI to it',
          })
        // IMMEDIATE takes the write lock at once: a database that is being written to stops it here.
        db.exec('BEGIN IMMEDIATE')
        try {
          const change = db
            .prepare(
              `UPDATE logged_models SET status = ?, last_updated_timestamp_ms = ?
               WHERE model_id = ? AND lifecycle_stage = 'active' AND status <> ?`,
            )
            .run(ready, Date.now(), modelId, ready)
          if (Number(change.changes) > 1) throw new Error('more than one row has this model id')
          db.exec('COMMIT')
        } catch (error) {
          db.exec('ROLLBACK')
          throw error
        }
      })
    },
  }
}
