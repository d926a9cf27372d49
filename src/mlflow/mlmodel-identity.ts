import { parseModelFile } from './mlmodel.ts'

/** What MLflow writes into the MLmodel of a logged model to say whose it is (`Model.log`, models/model.py of 3.17.2). */
export interface ModelIdentity {
  readonly modelId: string
  readonly artifactUri: string
  readonly runId?: string
}

const scalar = (value: string): string => (/^[A-Za-z0-9/._-]+$/.test(value) ? value : JSON.stringify(value))

/** Top-level entries with what is indented below them: comments and blank lines go with the entry before. */
const entriesOf = (text: string): string[] => text.split(/^(?=[^\s#-])/m)

/**
 * The same MLmodel under another identity; every other line stays as it is. @throws Trouble `unexpected-answer` where the
 * text is no MLmodel
 */
export const withIdentity = (text: string, { modelId, artifactUri, runId }: ModelIdentity): string => {
  parseModelFile(text)
  const own = new Map([
    ['artifact_path', artifactUri],
    ['model_id', modelId],
    ['model_uuid', modelId],
    ...(runId === undefined ? [] : [['run_id', runId] as const]),
  ])
  const keyOf = (entry: string): string => /^([A-Za-z_]+):/.exec(entry)?.[1] ?? ''
  const others = entriesOf(text).filter((entry) => !own.has(keyOf(entry)) && keyOf(entry) !== 'run_id')
  const ended = others.map((entry) => (entry.endsWith('\n') ? entry : `${entry}\n`))
  return [...ended, ...[...own].map(([key, value]) => `${key}: ${scalar(value)}\n`)].join('')
}
