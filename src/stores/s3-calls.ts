import type { IncomingHttpHeaders } from 'node:http'
import type { S3Client, UploadPartCommand } from '@aws-sdk/client-s3'
import type { Settings } from '../mlflow/types.ts'
import { withRetry } from '../retry.ts'
import { patientTries, type S3Connection } from './s3-client.ts'
import { s3Trouble } from './s3-trouble.ts'
import type { Asked } from './s3-wire.ts'

interface Calling {
  /** "cannot list s3://bucket/prefix". */
  readonly what: string
  /** The IAM action. */
  readonly action: string
  readonly signal?: AbortSignal | undefined
  /** True for calls whose repetition is the caller's to decide: parts, begin, completion. */
  readonly once?: boolean
}

/** The calls to one bucket: what each must carry, and `Trouble` for what goes wrong. */
export interface S3Calls {
  readonly bucket: { readonly Bucket: string; readonly ExpectedBucketOwner?: string }
  /** Bucket and key, with what each reading and part needs where the customer holds the encryption key. */
  object(key: string): { readonly Bucket: string; readonly Key: string }
  /** What MLFLOW_S3_UPLOAD_EXTRA_ARGS wants of each new object. */
  readonly extraArgs: Readonly<Record<string, string>>
  /** Entries per page of a list; the store's own choice when undefined. */
  readonly pageSize: number | undefined
  uriOf(key: string): string
  run<T>(calling: Calling, act: (client: S3Client, options: { abortSignal?: AbortSignal }) => Promise<T>): Promise<T>
  /**
   * A request for an object by the short way, with these headers beside those that the bucket needs; the headers of the
   * answer. Undefined where only the SDK knows how to make the request, as with keys of the customer's or arguments for each upload.
   */
  readonly short: ((calling: Calling, asked: Asked) => Promise<IncomingHttpHeaders>) | undefined
  /** Now by the store's clock, in milliseconds since the epoch, as of its last answer; this machine's before the first. */
  now(): number
}

/** Of the upload arguments of boto3 (S3Transfer.ALLOWED_UPLOAD_ARGS), those that belong to every request for the object. */
const everyRequest = ['RequestPayer', 'SSECustomerAlgorithm', 'SSECustomerKey', 'SSECustomerKeyMD5'] as const

export const s3Calls = (
  connection: S3Connection,
  bucket: string,
  settings: Settings['s3'],
  pageSize?: number,
): S3Calls => {
  const owner = settings.expectedBucketOwner
  const common = { Bucket: bucket, ...(owner === undefined ? {} : { ExpectedBucketOwner: owner }) }
  // The checksum is this tool's to choose: every part is proved by it.
  const { ChecksumAlgorithm: _, ...extraArgs } = settings.extraArgs
  const carried = Object.fromEntries(
    everyRequest.flatMap((name) => (name in extraArgs ? [[name, extraArgs[name]]] : [])),
  )
  const troubleOf = ({ what, action }: Calling, error: unknown): unknown =>
    s3Trouble({ what, action, endpoint: connection.endpoint, clockOffset: connection.clockOffset() }, error)
  return {
    bucket: common,
    object: (key) => ({ ...common, ...carried, Key: key }),
    extraArgs,
    pageSize,
    uriOf: (key) => `s3://${bucket}/${key}`,
    get short(): S3Calls['short'] {
      if (Object.keys(extraArgs).length > 0 || !connection.wire.ready(bucket)) return undefined
      return async (calling, asked) => {
        const headers = { ...asked.headers, ...(owner === undefined ? {} : { 'x-amz-expected-bucket-owner': owner }) }
        const patience = { tries: calling.once === true ? 1 : patientTries, pauseMs: 200 }
        const send = async () => {
          try {
            return await connection.wire.send({ ...asked, headers }, calling.signal)
          } catch (error) {
            if (calling.signal?.aborted === true) throw calling.signal.reason
            throw troubleOf(calling, error)
          }
        }
        return withRetry(send, patience, calling.signal)
      }
    },
    now: () => Date.now() + (connection.clockOffset() ?? 0),
    async run(calling, act) {
      calling.signal?.throwIfAborted()
      const client = calling.once === true ? connection.once : connection.patient
      try {
        return await act(client, calling.signal === undefined ? {} : { abortSignal: calling.signal })
      } catch (error) {
        throw troubleOf(calling, error)
      }
    },
  }
}

/** Leaves the payload out of the signature of this request. */
export const unsignedPayload = ({ middlewareStack }: { readonly middlewareStack: object }): void => {
  // Every command has the same kind of stack, typed by its own input and output, which are not touched here.
  const stack = middlewareStack as UploadPartCommand['middlewareStack']
  stack.add(
    (next) => async (args) => {
      const { request } = args
      if (typeof request === 'object' && request !== null && 'headers' in request) {
        Object.assign(request.headers ?? {}, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' })
      }
      return next(args)
    },
    { step: 'build', name: 'unsignedPayload' },
  )
}
