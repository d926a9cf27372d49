/**
 * Environment variables that the client reads while it uploads, with what it takes. Read in environment_variables.py,
 * utils/rest_utils.py and utils/request_utils.py of MLflow 2.22.1, 3.2.0, 3.11.1, 3.14.0 and 3.17.2 and in botocore 1.44.5,
 * and tried out with 3.17.2. Those that mlflow-doctor itself reads (src/mlflow/settings.ts) are not here: with a wrong
 * value in one of them no check begins.
 */
export interface Variable {
  readonly name: string
  readonly takes:
    | { readonly kind: 'whole' | 'number'; readonly from?: number; readonly to?: number; readonly step?: number }
    | { readonly kind: 'flag' }
    | { readonly kind: 'choice'; readonly of: readonly string[] }
  /** Who reads it: every call to a tracking server, or the client library of one kind of store. */
  readonly reader: 'server' | 's3' | 'gs' | 'azure'
  /** What a wrong value does. */
  readonly breaks: string
}

const everyCall = 'every call to the tracking server fails before it is sent'
const s3 = 'no S3 client can be made'
const flag = { kind: 'flag' } as const

export const variables: readonly Variable[] = [
  {
    name: 'MLFLOW_HTTP_REQUEST_MAX_RETRIES',
    takes: { kind: 'whole', from: 0, to: 10 },
    reader: 'server',
    breaks: everyCall,
  },
  {
    name: 'MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR',
    takes: { kind: 'whole', from: 0, to: 120 },
    reader: 'server',
    breaks: everyCall,
  },
  { name: 'MLFLOW_HTTP_REQUEST_BACKOFF_JITTER', takes: { kind: 'number' }, reader: 'server', breaks: everyCall },
  { name: 'MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER', takes: flag, reader: 'server', breaks: everyCall },
  { name: 'MLFLOW_HTTP_POOL_CONNECTIONS', takes: { kind: 'whole' }, reader: 'server', breaks: everyCall },
  { name: 'MLFLOW_HTTP_POOL_MAXSIZE', takes: { kind: 'whole' }, reader: 'server', breaks: everyCall },
  { name: 'MLFLOW_HTTP_TCP_KEEPALIVE', takes: flag, reader: 'server', breaks: everyCall },
  // tcp(7): the kernel takes 1 to 32767 seconds and 1 to 127 probes.
  {
    name: 'MLFLOW_HTTP_TCP_KEEPALIVE_IDLE',
    takes: { kind: 'whole', from: 1, to: 32_767 },
    reader: 'server',
    breaks: everyCall,
  },
  {
    name: 'MLFLOW_HTTP_TCP_KEEPALIVE_INTERVAL',
    takes: { kind: 'whole', from: 1, to: 32_767 },
    reader: 'server',
    breaks: everyCall,
  },
  {
    name: 'MLFLOW_HTTP_TCP_KEEPALIVE_COUNT',
    takes: { kind: 'whole', from: 1, to: 127 },
    reader: 'server',
    breaks: everyCall,
  },
  {
    name: 'MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT',
    takes: { kind: 'whole', from: 0 },
    reader: 'azure',
    breaks: 'no file is uploaded to Azure',
  },
  {
    name: 'MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT',
    // gcs_artifact_repo.py: -1 stands for no time-out at all.
    takes: { kind: 'whole', from: -1 },
    reader: 'gs',
    breaks: 'no file is uploaded to Google Cloud Storage',
  },
  {
    name: 'MLFLOW_GCS_UPLOAD_CHUNK_SIZE',
    // google-cloud-storage, blob.py: chunks are multiples of 256 KiB.
    takes: { kind: 'whole', from: 262_144, step: 262_144 },
    reader: 'gs',
    breaks: 'no file is uploaded to Google Cloud Storage',
  },
  { name: 'AWS_MAX_ATTEMPTS', takes: { kind: 'whole', from: 1 }, reader: 's3', breaks: s3 },
  {
    name: 'AWS_RETRY_MODE',
    takes: { kind: 'choice', of: ['legacy', 'standard', 'adaptive'] },
    reader: 's3',
    breaks: s3,
  },
  {
    name: 'AWS_REQUEST_CHECKSUM_CALCULATION',
    takes: { kind: 'choice', of: ['when_supported', 'when_required'] },
    reader: 's3',
    breaks: s3,
  },
]

/** What the variable takes, in words. */
export const expected = ({ takes }: Variable): string => {
  if (takes.kind === 'flag') return 'true or false'
  if (takes.kind === 'choice') return `one of ${takes.of.join(', ')}`
  const kind = takes.kind === 'whole' ? 'a whole number' : 'a number'
  const step = takes.step === undefined ? '' : ` that is a multiple of ${takes.step}`
  if (takes.to !== undefined) return `${kind} from ${takes.from} to ${takes.to}`
  return takes.from === undefined ? kind : `${kind} from ${takes.from} on${step}`
}

/** Whether the client can use the value, by the rules of Python's `int()` and `float()` and of MLflow's own flags. */
export const takes = ({ takes: rule }: Variable, value: string): boolean => {
  if (rule.kind === 'flag') return /^(?:true|false|1|0)$/i.test(value)
  if (rule.kind === 'choice') return rule.of.includes(value.toLowerCase())
  const spelled =
    rule.kind === 'whole' ? /^\s*[+-]?\d+(?:_\d+)*\s*$/ : /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i
  if (!spelled.test(value)) return false
  const number = Number(value.replaceAll('_', ''))
  return (
    number >= (rule.from ?? Number.NEGATIVE_INFINITY) &&
    number <= (rule.to ?? Number.POSITIVE_INFINITY) &&
    (rule.step === undefined || number % rule.step === 0)
  )
}
