/** What the store of one bucket tells of itself and of the rights that the credentials in use have in it. */
import type { Trouble } from '../errors.ts'

/** An answer, or why there is none. */
export type Told<T> = { readonly told: T } | { readonly untold: Trouble }

/** One right, by the IAM action that it needs. `unclear`: the answer fits both, or there was none; `why` says more. */
export interface Right {
  readonly action: string
  readonly state: 'granted' | 'denied' | 'unsupported' | 'unclear'
  readonly why?: string
}

/** As the S3 API and the AWS command line write a rule; passed on as it came, since replacing the rules means naming them all. */
export type LifecycleRule = Readonly<Record<string, unknown>>

export interface Lifecycle {
  readonly rules: readonly LifecycleRule[]
  /** `TransitionDefaultMinimumObjectSize`, which a replacement resets unless it names it again. */
  readonly minimumSize?: string
  /** Days after which an unfinished upload below the artifact root is aborted; undefined when no rule covers it. */
  readonly abortAfterDays?: number
}

export interface Encryption {
  /** `AES256`, `aws:kms` or `aws:kms:dsse`. */
  readonly algorithm: string
  readonly key?: string
  readonly bucketKey: boolean
}

export interface Lock {
  /** `GOVERNANCE` or `COMPLIANCE`; undefined when the bucket locks only objects that ask for it. */
  readonly mode?: string
  readonly days?: number
}

export interface BucketSettings {
  /** Of the artifact root, for people. */
  readonly uri: string
  readonly name: string
  /** Below which the artifacts lie, without slashes at its ends; may be empty. */
  readonly prefix: string
  /** True for Amazon's own endpoints. */
  readonly amazon: boolean
  /** The endpoint's origin; undefined for Amazon's own. */
  readonly endpoint?: string
  /** The region that requests are signed for. */
  readonly region: string
  /** The region that the bucket says it lies in, where it says so. */
  readonly bucketRegion?: string
  /** The store's clock minus this machine's, in milliseconds, by the Date header of its answers (a second fine). */
  readonly clockOffset?: number
  readonly versioning: Told<'enabled' | 'suspended' | 'off'>
  readonly lock: Told<Lock | undefined>
  readonly lifecycle: Told<Lifecycle>
  readonly encryption: Told<Encryption | undefined>
  /** The values of `x-amz-server-side-encryption` without which the bucket policy refuses uploads, the usual one first; all that there are where each will do. */
  readonly demandedEncryption: Told<readonly string[] | undefined>
}

/** How a part's bytes are proved to the store. `crc32-trailer`: aws-chunked, the checksum after the body. */
export const checksumModes = [
  'none',
  'content-md5',
  'crc32-header',
  'crc32-trailer',
  'crc64nvme-header',
  'sha256-header',
] as const
export type ChecksumMode = (typeof checksumModes)[number]

export interface ChecksumTry {
  readonly mode: ChecksumMode
  readonly accepted: boolean
  /** The store gave the checksum back, so it has looked at it. Undefined for modes that it has no way to confirm. */
  readonly confirmed?: boolean
  readonly why?: string
}

/** An upload that is aborted and never completed, for trying one kind of part. */
export interface ProbeUpload {
  readonly id: string
  readonly path: string
  tryPart(mode: ChecksumMode, signal?: AbortSignal): Promise<ChecksumTry>
  abort(signal?: AbortSignal): Promise<void>
}

/** Present on S3 stores that this machine reaches with its own credentials. Every method throws `Trouble` where nothing at all can be asked. */
export interface Bucket {
  /** Reads only. */
  settings(signal?: AbortSignal): Promise<BucketSettings>
  /** Reads only: asks for an object and an upload that are not there, by the name given. */
  readRights(name: string, signal?: AbortSignal): Promise<readonly Right[]>
  /** Deletes an object that is not there. Must not be called where the bucket keeps versions: there it would leave a delete marker. */
  deleteRight(name: string, signal?: AbortSignal): Promise<Right>
  /** Puts these rules in the place of all that are there. */
  replaceLifecycle(lifecycle: Pick<Lifecycle, 'rules' | 'minimumSize'>, signal?: AbortSignal): Promise<void>
  /** Begins an upload as a client would that proves parts in this way. */
  openProbe(name: string, mode: ChecksumMode, signal?: AbortSignal): Promise<ProbeUpload>
}
