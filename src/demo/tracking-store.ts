import { randomUUID } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'

/** A throw-away tracking store with the tables that the doctor reads, as MLflow 3.17.2 creates them (revision dc11669786a5). */
const tables = `
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
CREATE TABLE experiments (experiment_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(256) NOT NULL,
  artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT,
  workspace VARCHAR(63) DEFAULT 'default' NOT NULL);
CREATE TABLE runs (run_uuid VARCHAR(32) NOT NULL PRIMARY KEY, name VARCHAR(250), status VARCHAR(9), start_time BIGINT,
  end_time BIGINT, lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER);
CREATE TABLE logged_models (model_id VARCHAR(36) NOT NULL PRIMARY KEY, experiment_id INTEGER NOT NULL,
  name VARCHAR(500) NOT NULL, artifact_location VARCHAR(1000) NOT NULL, creation_timestamp_ms BIGINT NOT NULL,
  last_updated_timestamp_ms BIGINT NOT NULL, status INTEGER NOT NULL, lifecycle_stage VARCHAR(32),
  model_type VARCHAR(500), source_run_id VARCHAR(32), status_message VARCHAR(1000));
CREATE TABLE inputs (input_uuid VARCHAR(36) NOT NULL, source_type VARCHAR(36) NOT NULL, source_id VARCHAR(36) NOT NULL,
  destination_type VARCHAR(36) NOT NULL, destination_id VARCHAR(36) NOT NULL, step BIGINT DEFAULT 0 NOT NULL);
CREATE TABLE model_versions (name VARCHAR(256) NOT NULL, version INTEGER NOT NULL, creation_time BIGINT,
  last_updated_time BIGINT, source VARCHAR(500), run_id VARCHAR(32), status VARCHAR(20), status_message VARCHAR(500),
  current_stage VARCHAR(20), storage_location VARCHAR(500));
CREATE TABLE tags (key VARCHAR(250) NOT NULL, value VARCHAR(8000), run_uuid VARCHAR(32) NOT NULL);
CREATE TABLE latest_metrics (key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT, step BIGINT NOT NULL,
  is_nan BOOLEAN NOT NULL, run_uuid VARCHAR(32) NOT NULL);
INSERT INTO alembic_version VALUES ('dc11669786a5');
`

/** Status numbers of logged models in the database, measured with MLflow 3.17.2. */
const modelStatus = { PENDING: 1, READY: 2, UPLOAD_FAILED: 3 } as const

export interface LoggedModelRow {
  readonly modelId: string
  readonly name: string
  readonly status: keyof typeof modelStatus
  readonly artifacts: string
  readonly runId: string
  /** Milliseconds since the epoch. */
  readonly changed: number
}

/** Writes one experiment (id 1) with a run and a logged model for each row. */
export const writeTrackingStore = (file: string, artifactRoot: string, rows: readonly LoggedModelRow[]): void => {
  const db = new DatabaseSync(file)
  try {
    db.exec(tables)
    db.prepare("INSERT INTO experiments VALUES (1, 'demo', ?, 'active', 0, 0, 'default')").run(artifactRoot)
    const run = db.prepare("INSERT INTO runs VALUES (?, ?, ?, ?, NULL, 'active', ?, 1)")
    const model = db.prepare("INSERT INTO logged_models VALUES (?, 1, ?, ?, ?, ?, ?, 'active', NULL, ?, NULL)")
    const output = db.prepare("INSERT INTO inputs VALUES (?, 'RUN_OUTPUT', ?, 'MODEL_OUTPUT', ?, 0)")
    for (const { modelId, name, status, artifacts, runId, changed } of rows) {
      run.run(runId, name, status === 'READY' ? 'FINISHED' : 'RUNNING', changed, `${artifactRoot}/${runId}/artifacts`)
      model.run(modelId, name, artifacts, changed, changed, modelStatus[status], runId)
      output.run(randomUUID(), runId, modelId)
    }
  } finally {
    db.close()
  }
}
