/** Which known name a variable was probably meant to be. */
import { knownNames } from './names.ts'

/** The words of the names that decide about uploads: only what consists of them is judged, because MLFLOW_ is also what people's own variables begin with. */
const words: ReadonlySet<string> = new Set(
  'ADDRESSING ARTIFACT ARTIFACTS BACKOFF BOTO CERT CHUNK CLIENT ENABLE ENABLED ENDPOINT EXTRA ARGS FACTOR FILE FOLDER GCS HTTP IGNORE INSECURE JITTER KEEPALIVE MAX MAXIMUM MIN MINIMUM MULTIPART PASSWORD PATH POOL PROXY READ CONNECT REQUEST REQUESTS RETRIES RETRY S3 SERVER SIZE SSL STYLE TCP THRESHOLD TIMEOUT TLS TOKEN TRACKING UPLOAD UPLOADS URI URL USER USERNAME VERIFY'.split(
    ' ',
  ),
)

/** Names of settings that set how MLflow uploads, of which a misspelt one is told. */
const aims: readonly string[] = [...knownNames].filter((name) =>
  /^(?:HTTP_(?:REQUEST|POOL|TCP|RESPECT)|MULTIPART_UPLOAD|ENABLE_(?:PROXY_)?MULTIPART_UPLOAD|ARTIFACT_UPLOAD|S3_|GCS_UPLOAD|BOTO_|TRACKING_(?:URI|USERNAME|PASSWORD|TOKEN|INSECURE|SERVER|CLIENT))/.test(
    name,
  ),
)

/**
 * The known name, with its prefix, that `name` (with it, too) is closest to; undefined where it is known itself, or where
 * nothing speaks for a mistake. `own` are the names that the installed client declares.
 */
export const meantBy = (name: string, own: ReadonlySet<string> | undefined): string | undefined => {
  const given = name.replace(/^MLFLOW_/, '')
  if (knownNames.has(given) || own?.has(name) === true) return undefined
  const parts = given.split('_')
  const [best] = aims
    .map((aim) => ({ aim, distance: lettersApart(given, aim), shared: alike(parts, aim.split('_')) }))
    .sort((a, b) => Number(b.distance <= 2) - Number(a.distance <= 2) || b.shared - a.shared || a.distance - b.distance)
  if (best === undefined) return undefined
  const ofTheirWords = parts.length > 1 && parts.every((part) => words.has(part)) && best.shared >= 0.5
  return best.distance <= 2 || ofTheirWords ? `MLFLOW_${best.aim}` : undefined
}

/** The words that two names share, of all that they have; from 0 to 1. USER is USERNAME here, UPLOADS is UPLOAD. */
const alike = (a: readonly string[], b: readonly string[]): number => {
  const same = (x: string, y: string): boolean => x.startsWith(y) || y.startsWith(x)
  const shared = a.filter((x) => b.some((y) => same(x, y))).length
  return shared / (a.length + b.length - shared)
}

/** Levenshtein's distance: letters to add, drop or change. */
const lettersApart = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + Number(a[i - 1] !== b[j - 1])))
    }
    row = next
  }
  return row[b.length] ?? 0
}
