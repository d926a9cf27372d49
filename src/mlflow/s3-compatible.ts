import { Trouble } from '../errors.ts'
import { withoutSecrets } from './location.ts'

/** Stores that speak S3's API and that MLflow knows by schemes of their own (r2_artifact_repo.py, b2_artifact_repo.py, 3.17.2). */
export interface S3Compatible {
  readonly bucket: string
  /** An origin: the location names it, no variable is asked. */
  readonly endpoint: string
  /** Hosts that the provider runs. */
  readonly own: boolean
  readonly region: string
  readonly addressing: 'path' | 'virtual'
  /** Without slashes at its ends. */
  readonly prefix: string
}

const providers = {
  // Cloudflare signs for "auto" (developers.cloudflare.com/r2/api/s3/api).
  r2: { host: /\.r2\.cloudflarestorage\.com$/i, addressing: 'virtual', region: () => 'auto' },
  b2: {
    host: /^s3\.[a-z0-9-]+\.backblazeb2\.com$/i,
    addressing: 'path',
    region: (host: string) => /^s3\.([a-z0-9-]+)\./i.exec(host)?.[1] ?? 'us-east-1',
  },
} as const

/** Undefined for other schemes. Throws `Trouble` (`usage`) for a location that names no bucket and endpoint. */
export const s3Compatible = (location: string): S3Compatible | undefined => {
  const [, scheme = '', authority = '', path = ''] = /^(r2|b2):\/\/([^/?#]*)([^?#]*)/i.exec(location) ?? []
  if (scheme === '') return undefined
  const provider = providers[scheme.toLowerCase() as keyof typeof providers]
  const [, bucket, host] = /^([^@]+)@([^@]+)$/.exec(authority) ?? []
  if (bucket === undefined || host === undefined || !URL.canParse(`https://${host}`)) {
    throw new Trouble({
      kind: 'usage',
      what: `cannot open ${withoutSecrets(location)}`,
      why: 'it names no bucket and endpoint',
      todo:
        scheme.toLowerCase() === 'r2'
          ? 'Write r2://<bucket>@<account id>.r2.cloudflarestorage.com/<path>'
          : 'Write b2://<bucket>@s3.<region>.backblazeb2.com/<path>',
    })
  }
  return {
    bucket,
    endpoint: new URL(`https://${host}`).origin,
    own: provider.host.test(host),
    region: provider.region(host),
    addressing: provider.addressing,
    prefix: path.replace(/^\/+|\/+$/g, ''),
  }
}
