import { Agent } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { Trouble } from '../errors.ts'
import { storeTls, trustOf } from '../mlflow/trust.ts'
import type { Settings } from '../mlflow/types.ts'
import { nodeProxy } from '../probes/environment-proxy.ts'
import { s3Trouble } from './s3-trouble.ts'
import { openWire, placeIn, type Wire, type WirePlace } from './s3-wire.ts'

/** A connection to one S3 endpoint with the user's own credentials. */
export interface S3Connection {
  /** For calls that may be repeated: lists, HEAD, abort. */
  readonly patient: S3Client
  /** For calls whose repetition is the caller's to decide: parts, begin and completion. */
  readonly once: S3Client
  /** Without credentials: `https://s3.example.org`, or `AWS`. */
  readonly endpoint: string
  /** True for Amazon's own endpoints. */
  readonly amazon: boolean
  /** The region that requests are signed for. */
  readonly region: string
  /** "access key …ABCD". */
  readonly identity: string
  /** The store's clock minus this machine's, in milliseconds, from the last answer's Date header. */
  clockOffset(): number | undefined
  /** What the last answer's Server header calls the store: `SeaweedFS 30GB 4.48`, `MinIO`. Anything may stand in between and say otherwise. */
  software(): string | undefined
  /** For requests that carry bytes. */
  readonly wire: Wire
  close(): void
}

/** The SDK's credential chain reads the process's own; these are looked up beside it. */
type Environment = Readonly<Record<string, string | undefined>>

const amazonHost = /^(?:.+\.)?s3(?:-accelerate|(?:-fips)?[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?$/

/** True for hosts of AWS's public S3 endpoints (docs.aws.amazon.com/general/latest/gr/s3.html), not for everything that runs at AWS. */
export const isAmazon = (endpoint: string | undefined): boolean =>
  endpoint === undefined || (URL.canParse(endpoint) && amazonHost.test(new URL(endpoint).hostname))

/** The SDK writes some of its warnings to the console unless it is given a place for them. */
const nowhere = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

const headerOf = (response: unknown, name: 'date' | 'server'): string | undefined => {
  if (typeof response !== 'object' || response === null || !('headers' in response)) return undefined
  const { headers } = response
  const value = typeof headers === 'object' && headers !== null ? (headers as Record<string, unknown>)[name] : undefined
  return typeof value === 'string' ? value : undefined
}

/** boto3 knows AWS_DEFAULT_REGION and the profile, the SDK for JavaScript AWS_REGION and the profile; us-east-1 is what signing for an endpoint of one's own uses. */
const regionFor = async (settings: Settings, env: Environment): Promise<string> =>
  settings.s3.region ??
  env.AWS_REGION ??
  env.AWS_DEFAULT_REGION ??
  (await new S3Client({}).config.region().catch(() => 'us-east-1'))

/** Tries in all of a call whose repetition nobody else decides. */
export const patientTries = 3

/** Throws `Trouble` (`unauthenticated`) when no credentials are found. Sends nothing to the endpoint. */
export const connectS3 = async (
  settings: Settings,
  env: Environment = process.env,
  endpoint = settings.s3.endpoint,
): Promise<S3Connection> => {
  const amazon = isAmazon(endpoint)
  const { addressing } = settings.s3
  const region = await regionFor(settings, env)
  const proxyEnv = nodeProxy(new URL(originOf(endpoint ?? `https://s3.${region}.amazonaws.com`)), env, 'botocore')
  const agent = { keepAlive: true, maxSockets: 50, proxyEnv }
  let offset: number | undefined
  let server: string | undefined
  let place: WirePlace | undefined
  const secureAgent = { ...agent, ...trustOf(storeTls(settings, env)) }

  const config: S3ClientConfig = {
    ...(endpoint === undefined ? {} : { endpoint }),
    region,
    logger: nowhere,
    // For bodies from 2 MiB on, the SDK would wait for 100 Continue on an agent of its own, which knows neither the CA nor the proxy given below.
    expectContinueHeader: false,
    followRegionRedirects: amazon,
    forcePathStyle: addressing === 'path' || (addressing === 'auto' && !amazon),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      // boto3's default connect and read time-outs are 60 s each; MLflow's own setting is for its server.
      connectionTimeout: 10_000,
      socketTimeout: settings.requestTimeoutMs,
      httpAgent: agent,
      httpsAgent: secureAgent,
    },
  }
  const make = (maxAttempts: number): S3Client => {
    const client = new S3Client({ ...config, maxAttempts })
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        const date = Date.parse(headerOf(result.response, 'date') ?? '')
        if (!Number.isNaN(date)) offset = date - Date.now()
        server = headerOf(result.response, 'server') ?? server
        place = placeIn(args.request, args.input) ?? place
        return result
      },
      { step: 'deserialize', priority: 'low', name: 'storeClock' },
    )
    return client
  }
  const patient = make(patientTries)
  const shown = endpoint === undefined ? 'AWS' : originOf(endpoint)
  const what = `cannot open the store at ${shown}`
  const doing = { what, action: '', endpoint: shown, clockOffset: undefined }
  const { accessKeyId } = await patient.config.credentials().catch((error: unknown) => {
    throw s3Trouble(doing, error)
  })
  const once = make(1)
  const wire = openWire({
    agents: { http: new Agent(agent), https: new SecureAgent(secureAgent) },
    idleMs: settings.requestTimeoutMs,
    place: () => place,
    credentials: () => once.config.credentials(),
    skew: () => once.config.systemClockOffset,
    seen: ({ date, server: named }) => {
      const told = Date.parse(date ?? '')
      if (!Number.isNaN(told)) offset = told - Date.now()
      server = (Array.isArray(named) ? named[0] : named) ?? server
    },
  })
  return {
    patient,
    once,
    endpoint: shown,
    amazon,
    region,
    identity: `access key …${accessKeyId.slice(-4)}`,
    clockOffset: () => offset,
    software: () => server,
    wire,
    close: () => {
      wire.close()
      patient.destroy()
      once.destroy()
    },
  }
}

/** Throws `Trouble` (`usage`) for what is no http(s) address; user and password in it are dropped. */
const originOf = (endpoint: string): string => {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url.origin
  throw new Trouble({
    kind: 'usage',
    what: 'cannot open the store',
    why: 'the S3 endpoint is not an http or https address',
    todo: 'Correct MLFLOW_S3_ENDPOINT_URL',
  })
}
