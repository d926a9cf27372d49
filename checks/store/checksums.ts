import { defineCheck, type Remedy, type RouteKind } from '../../src/check.ts'
import { bucketSettings, checksumTries, client, route, settings, target } from '../../src/needs/declarations.ts'
import { isBefore } from '../../src/words.ts'

type Mode = NonNullable<typeof checksumTries.is>[number]['mode']

const words: Readonly<Record<Mode, string>> = {
  none: 'parts without a checksum',
  'content-md5': 'parts with Content-MD5',
  'crc32-header': 'parts with a CRC32 in the header',
  'crc32-trailer': 'parts with a CRC32 behind the body (aws-chunked)',
  'crc64nvme-header': 'parts with a CRC64NVME in the header',
  'sha256-header': 'parts with a SHA-256 in the header',
}

/** The first boto3 that proves what it sends without being asked to (its changelog, 1.36.0, January 2025). */
const proving = '1.36.0'

const required = 'export AWS_REQUEST_CHECKSUM_CALCULATION=when_required'

export default defineCheck({
  id: 'store/checksums',
  title: 'The store takes parts with the checksum that clients send',
  severity: 'error',
  on: ['check'],
  needs: [target, bucketSettings, checksumTries, settings, route],
  wants: [client],
  facts: { mode: 'text', strongest: 'text' },
  explain: {
    measures:
      'Begins one tiny multipart upload for each way of proving a part (none, Content-MD5, CRC32 in the header and behind an aws-chunked body, CRC64NVME, SHA-256), sends one part of nine bytes and aborts it. The strongest that the store accepts, and confirms where it can, is told as a figure. No object is written, so single PUTs, which carry the same checksums, are not tried by themselves.',
    breaks:
      'Since version 1.36, boto3 adds a CRC32 to everything it sends unless AWS_REQUEST_CHECKSUM_CALCULATION or request_checksum_calculation in the profile says when_required: in a header over http, behind the body over https. Older MinIO, Ceph and others, and proxies that do not know aws-chunked, answer NotImplemented, SignatureDoesNotMatch, MissingContentLength or XAmzContentSHA256Mismatch. By signed addresses MLflow sends parts without any checksum, which buckets with a default retention refuse.',
    remedy:
      'Set AWS_REQUEST_CHECKSUM_CALCULATION=when_required where boto3 runs: in the training process on the direct route, at the tracking server where it passes artifacts on.',
  },
  async *run({ target, bucketSettings: bucket, checksumTries: tries, settings, route, client }) {
    const accepted = (mode: Mode): boolean => tries.some((one) => one.mode === mode && one.accepted)
    const strongest = tries.findLast((one) => one.accepted && one.confirmed !== false)?.mode
    const secure = !(settings.s3.endpoint ?? 'https:').startsWith('http:')
    const byBoto: Mode = secure ? 'crc32-trailer' : 'crc32-header'
    const tells = settings.s3.checksums === 'when_required'
    const boto3 = client?.packages.boto3
    const older = boto3 !== undefined && isBefore(boto3, proving)
    const refused = (mode: Mode) => tries.find((one) => one.mode === mode && !one.accepted)

    const factsOf = (mode: Mode) => ({ mode, ...(strongest !== undefined && { strongest }) })
    /** No file gets through this way. Canaries carry a checksum of their own, so that they may where a client does not. */
    function* nothing(setting: string, way: RouteKind, mode: Mode, says: string, remedy: Remedy) {
      const limit = { kind: 'limit', hop: 'client', scope: 'file', basis: 'measured' } as const
      yield { ...limit, setting, max: { bytes: 0 }, routes: [way], because: says, remedy: () => remedy }
      yield { kind: 'finding' as const, at: target.name, says, facts: factsOf(mode), remedy }
    }

    if (!route.proxied) {
      const mode = tells || older ? 'none' : byBoto
      const why = refused(mode)?.why
      if (why === undefined) return
      const remedy: Remedy = older
        ? { text: `Upgrade boto3 in the training's environment to ${proving} or later, which sends a checksum.` }
        : tells
          ? {
              text: 'Have boto3 send a checksum.',
              commands: ['export AWS_REQUEST_CHECKSUM_CALCULATION=when_supported'],
            }
          : accepted('none') || accepted('content-md5')
            ? { text: 'Set this for the training process.', commands: [required] }
            : { text: 'Upgrade the store, or take away what stands before it and changes requests.' }
      const says = `${bucket.uri} refuses ${words[mode]}, which is what ${older ? `boto3 ${boto3} sends` : tells ? 'boto3 sends with AWS_REQUEST_CHECKSUM_CALCULATION=when_required' : `boto3 ${boto3 ?? '1.36 and later'} sends`} over ${secure ? 'https' : 'http'}: ${why}`
      yield* nothing('AWS_REQUEST_CHECKSUM_CALCULATION', 'store-multipart', mode, says, remedy)
      return
    }
    const plain = route.multipart ? refused('none')?.why : undefined
    if (plain !== undefined) {
      const says = `${bucket.uri} refuses ${words.none}, which is what MLflow sends by signed addresses: ${plain}`
      const remedy: Remedy = {
        text: 'Have clients send whole files through the server, which proves them, or keep models in a bucket without a default retention.',
        commands: ['export MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=false'],
      }
      yield* nothing('MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD', 'signed-parts', 'none', says, remedy)
    }
    const relayed = refused(byBoto)?.why
    if (relayed !== undefined) {
      yield {
        kind: 'finding',
        at: target.name,
        // What the server's own settings say does not show from here.
        severity: 'warning',
        says: `${bucket.uri} refuses ${words[byBoto]}, which is what a server with boto3 1.36 or later sends unless it is told otherwise: ${relayed}`,
        facts: factsOf(byBoto),
        remedy: { text: 'Set this in the environment of the tracking server.', commands: [required] },
      }
    }
  },
})
