/** The one sink through which every word leaves the tool: known secrets and whatever has the shape of one are replaced. */

const redacted = '[redacted]'

/**
 * Shapes that are secret whoever wrote them: the user part of a URL, signature parameters of AWS, Azure and Google
 * (SigV4 and V2 query authentication, SAS `sig`, V4 signed URLs, addresses of upload sessions), authorization headers, JSON Web Tokens, AWS key ids
 * and PEM private keys.
 */
const shapes: readonly (readonly [RegExp, string])[] = [
  // A password may hold a slash or a question mark, though a URL may not; digits and a slash are a port and a path.
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@:]*:(?!\d+(?:[/?#\s]|$))[^\s@]*@/gi, `$1${redacted}@`],
  [/(https?:\/\/)[^\s/?#@:'"<>]+@/gi, `$1${redacted}@`],
  [
    /([?&;](?:x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)|signature|upload_id|awsaccesskeyid|googleaccessid|sig|skoid|sktid|token|access_token|api_key|apikey|password|secret)=)[^&\s"'<>]+/gi,
    `$1${redacted}`,
  ],
  [
    /\b((?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:basic|bearer|digest|sharedkey|aws4-hmac-sha256)?\s*)[^\s"',]{4,}[^\r\n"']*/gi,
    `$1${redacted}`,
  ],
  [/\b((?:bearer|basic)\s+)[a-z0-9+/=_.~-]{12,}/gi, `$1${redacted}`],
  [/\b((?:password|passwd|secret|api_?key|access_?key|token)(?:=|"\s*:\s*"))[^\s"'&;,]+/gi, `$1${redacted}`],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, redacted],
  [
    /\b((?:x-amz-security-token|aws_secret_access_key|aws_session_token|accountkey|sharedaccesssignature)["']?\s*[:=]\s*["']?)[^\s"';,]+/gi,
    `$1${redacted}`,
  ],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, redacted],
]

export type Redact = (text: string) => string

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

/** All spellings in which a secret may come back: as it is, percent-encoded, in base64 (as basic authorization), JSON-escaped. */
const spellings = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  encodeURIComponent(secret).replaceAll('%20', '+'),
  Buffer.from(secret).toString('base64'),
  Buffer.from(secret).toString('base64url'),
  JSON.stringify(secret).slice(1, -1),
]

/**
 * A secret of fewer than four characters is only replaced as a word of its own: "abc" inside "alphabcd" tells nobody
 * anything, and replacing it everywhere would make the report unreadable.
 */
const shortest = 4

export const createRedactor = (secrets: Iterable<string>): Redact => {
  const values = [...new Set([...secrets].filter((secret) => secret.trim() !== '').flatMap(spellings))]
  // Longest first, so that a secret which contains another one leaves no tail.
  const patterns = values
    .sort((a, b) => b.length - a.length)
    .map((value) => (value.length < shortest ? `(?<![\\w])${escaped(value)}(?![\\w])` : escaped(value)))
  const known = patterns.length > 0 ? new RegExp(patterns.join('|'), 'g') : undefined
  return (text) => {
    let out = known ? text.replace(known, redacted) : text
    for (const [shape, replacement] of shapes) out = out.replace(shape, replacement)
    return out
  }
}

/** Fields of the report whose words are the tool's own, from a fixed list: a password "error" must not break the document. */
const own = new Set(
  'about action basis beganAt cannot check command docs effect failOn hop id kind name required route scope severity startedAt state title unit units until verdict version want'.split(
    ' ',
  ),
)

/** Every string in plain data that may come from elsewhere. Keys are the tool's own. */
export const redactAll = <T>(value: T, redact: Redact): T => {
  if (typeof value === 'string') return redact(value) as T
  if (Array.isArray(value)) return value.map((item) => redactAll(item, redact)) as T
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, own.has(key) ? item : redactAll(item, redact)]),
    ) as T
  }
  return value
}
