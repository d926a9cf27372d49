import { createHash, createHmac } from 'node:crypto'

/** AWS Signature Version 4 in headers (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html), for bodies that a checksum in a signed header protects. */

interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

interface Signing {
  readonly method: string
  /** As it is sent: percent-encoded once, with slashes. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** Lower-case names; `host` among them. */
  readonly headers: Readonly<Record<string, string>>
  readonly region: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

const hmac = (key: string | Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** RFC 3986's unreserved characters stay. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/** As it stands in the path of a request. */
export const encodedKey = (key: string): string => key.split('/').map(encoded).join('/')

export const queryOf = (query: Readonly<Record<string, string>>): string =>
  Object.entries(query)
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort()
    .join('&')

/** Signing keys hold for a day; the last one is kept. */
let kept: { readonly of: string; readonly key: Buffer } | undefined
const keyFor = (secret: string, day: string, region: string): Buffer => {
  const of = `${secret}\0${day}\0${region}`
  if (kept?.of !== of) {
    const key = ['s3', 'aws4_request'].reduce(
      (last, text) => hmac(last, text),
      hmac(hmac(`AWS4${secret}`, day), region),
    )
    kept = { of, key }
  }
  return kept.key
}

/** The headers to send, signature included. */
export const signed = (
  { accessKeyId, secretAccessKey, sessionToken }: Keys,
  { method, path, query, headers, region, now }: Signing,
): Readonly<Record<string, string>> => {
  const date = new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, '')
  const day = date.slice(0, 8)
  const all: Record<string, string> = {
    ...headers,
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    'x-amz-date': date,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
  }
  const names = Object.keys(all).sort()
  const canonical = [
    ...[method, path, queryOf(query)],
    ...names.map((name) => `${name}:${all[name]?.trim()}`),
    ...['', names.join(';'), 'UNSIGNED-PAYLOAD'],
  ].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const digest = createHash('sha256').update(canonical).digest('hex')
  const signature = hmac(keyFor(secretAccessKey, day, region), `AWS4-HMAC-SHA256\n${date}\n${scope}\n${digest}`)
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature.toString('hex')}`
  return { ...all, authorization }
}
