import { Storage } from '@google-cloud/storage'
import { GoogleAuth, PassThroughClient } from 'google-auth-library'
import { type Dispatcher, request } from 'undici'
import { Trouble } from '../errors.ts'
import { firstBytes } from '../first-bytes.ts'
import { cloudTls } from '../mlflow/trust.ts'
import type { Settings } from '../mlflow/types.ts'
import type { Environment } from '../mlflow/variables.ts'
import { type GcsDoing, gcsRefused, gcsTrouble } from './gcs-trouble.ts'
import { openLine } from './line.ts'

/** A request of the JSON or XML API that carries bytes, or that the SDK has no call for. */
export interface GcsRequest extends Omit<GcsDoing, 'endpoint'> {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Whole, or a path below the endpoint. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /** False for the address of an upload session, which is its own permission. */
  readonly login?: boolean
  /** Statuses beside 2xx that are no failure. */
  readonly also?: readonly number[]
  readonly signal?: AbortSignal | undefined
}

export interface GcsAnswer {
  readonly status: number
  header(name: string): string | undefined
  /** The body, at most so many bytes of it. */
  read(most: number): Promise<Uint8Array>
  /** Throws away what is left of the body. */
  done(): Promise<void>
}

/** Google Cloud Storage, reached by the login that MLflow's own client would take. */
export interface GcsConnection {
  readonly sdk: Storage
  call(request: GcsRequest): Promise<GcsAnswer>
  /** The origin, for people. */
  readonly endpoint: string
  /** For people, without a secret. */
  readonly identity: string
  /** The store's clock minus this machine's, in milliseconds, from the last answer's Date header. */
  clockOffset(): number | undefined
  close(): Promise<void>
}

const publicEndpoint = 'https://storage.googleapis.com'
/** cloud.google.com/storage/docs/authentication; what google-cloud-storage asks for, too. */
const scopes = ['https://www.googleapis.com/auth/devstorage.full_control']
/** Error answers are read this far, in bytes. */
const errorRead = 64 * 1024

interface Login {
  readonly identity: string
  readonly auth?: GoogleAuth
  readonly anonymous?: PassThroughClient
}

/** As gcs_artifact_repo.py (3.17.2): the application default credentials, and without any, none at all. */
const loginFor = async (settings: Pick<Settings, 'google'>): Promise<Login> => {
  if (settings.google.endpoint !== undefined) return { identity: 'without a login, since STORAGE_EMULATOR_HOST is set' }
  const auth = new GoogleAuth({ scopes })
  try {
    await auth.getClient()
  } catch (error) {
    if (error instanceof Error && /could not load the default credentials/i.test(error.message)) {
      return { identity: 'without a login, since none is found on this machine', anonymous: new PassThroughClient() }
    }
    throw error
  }
  const named = await auth.getCredentials().catch(() => undefined)
  return { identity: named?.client_email ?? 'the application default credentials', auth }
}

/** What went wrong, in the form of either API. */
const reasonIn = (text: string): { reason?: string; message?: string } => {
  const code = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(text)?.[1]
  if (code !== undefined) return { reason: code, message: text }
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string; errors?: { reason?: string }[] } }
    const reason = error?.errors?.[0]?.reason
    return { ...(reason === undefined ? {} : { reason }), message: String(error?.message ?? '') }
  } catch {
    return { message: text }
  }
}

/** Sends nothing to the store. Throws `Trouble` (`unauthenticated`) for a login that cannot be used. */
export const connectGcs = async (
  settings: Pick<Settings, 'google' | 'requestTimeoutMs'>,
  env: Environment = process.env,
): Promise<GcsConnection> => {
  const endpoint = settings.google.endpoint ?? publicEndpoint
  const open: GcsDoing = { what: `cannot open the store at ${endpoint}`, action: '', endpoint }
  const { identity, auth, anonymous } = await loginFor(settings).catch((error: unknown) => {
    throw gcsTrouble(open, error)
  })
  const sdk = new Storage({
    apiEndpoint: endpoint,
    // Named where a bucket is made, and nowhere else.
    projectId: 'mlflow-doctor',
    timeout: settings.requestTimeoutMs,
    // Repeated by whoever calls, since the SDK waits for seconds before a host that is not there.
    retryOptions: { autoRetry: false },
    ...(anonymous ? { authClient: anonymous } : {}),
  })
  const line = openLine(settings.requestTimeoutMs, cloudTls(env), env)
  let offset: number | undefined
  return {
    sdk,
    endpoint,
    identity,
    clockOffset: () => offset,
    async call({ url, method, headers = {}, body, login = true, also = [], signal, ...doing }) {
      const what = { ...doing, endpoint }
      const at = new URL(url, endpoint)
      try {
        const own = login && auth !== undefined ? Object.fromEntries(await auth.getRequestHeaders(at.href)) : {}
        const answer = await request(at, {
          ...{ method, headers: { ...headers, ...own }, body: body ?? null },
          ...(signal === undefined ? {} : { signal }),
          dispatcher: line.dispatcherFor(at),
        })
        const header = headerOf(answer.headers)
        const date = Date.parse(header('date') ?? '')
        if (!Number.isNaN(date)) offset = date - Date.now()
        const { statusCode: status } = answer
        if ((status < 200 || status > 299) && !also.includes(status)) {
          const said = reasonIn((await firstBytes(answer.body, errorRead)).toString())
          throw gcsRefused(what, { status, ...said, retryAfter: header('retry-after') })
        }
        return { status, header, read: (most) => firstBytes(answer.body, most), done: () => answer.body.dump() }
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason
        throw error instanceof Trouble ? error : gcsTrouble(what, error)
      }
    },
    close: () => line.close(),
  }
}

const headerOf = (headers: Dispatcher.ResponseData['headers']) => (name: string) => {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
