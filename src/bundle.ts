/** `--bundle FILE`: what a platform team needs to help somebody, in one archive, with nothing secret in it. */
import { writeFile } from 'node:fs/promises'
import { arch, homedir, platform, release } from 'node:os'
import { strToU8, zipSync } from 'fflate'
import type { Redact } from './redact.ts'
import { redactAll } from './redact.ts'
import type { Report } from './report.ts'
import { jsonText } from './reporters/escape.ts'
import { render } from './reporters/index.ts'
import { writeNamed } from './write-named.ts'

/** Variables that decide how MLflow and the stores behave. Of all others not even the name is written down. */
const ofInterest =
  /^(MLFLOW_|AWS_|AZURE_|GOOGLE_|GCS_|CLOUDSDK_|STORAGE_EMULATOR_HOST$|BOTO|DATABRICKS_|REQUESTS_CA_BUNDLE$|CURL_CA_BUNDLE$|SSL_CERT_|NODE_|TMPDIR$|VIRTUAL_ENV$|CONDA_PREFIX$|XDG_|CI$|GITHUB_ACTIONS$|(https?|no|all)_proxy$)/i

/**
 * Of these the value is written too, behind the redactor. A list of what may be told, not of what may not: a variable that
 * nobody has thought of shows its name alone.
 */
const tellable =
  /^(MLFLOW_(TRACKING_URI|REGISTRY_URI|EXPERIMENT_(NAME|ID)|RUN_ID|S3_ENDPOINT_URL)|AWS_(ENDPOINT_URL(_S3)?|(DEFAULT_)?REGION|PROFILE|RETRY_MODE|(REQUEST|RESPONSE)_CHECKSUM_\w+)|AZURE_(CLIENT_ID|TENANT_ID|STORAGE_ACCOUNT)|STORAGE_EMULATOR_HOST|TMPDIR|(https?|no|all)_proxy)$/i
/** A switch or a number is told whatever its variable is called: neither is a secret. */
const harmless = /^(\d{1,15}(\.\d+)?|true|false|yes|no|on|off|)$/i

interface Asked {
  readonly args: Readonly<Record<string, unknown>>
  readonly given: ReadonlySet<string>
  readonly configured: ReadonlySet<string>
  readonly version: string
  readonly redact: Redact
}

/** User, password and query of an address are taken out whether or not they look secret. */
const bare = (value: string): string => value.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1').replace(/\?\S*/g, '')

const settingsOf = ({ args, given, configured }: Asked) => {
  const options = Object.entries(args)
    .filter(([name, value]) => !/^[_$]|-/.test(name) && value !== undefined && typeof value !== 'function')
    .map(([name, value]) => ({
      name,
      value: typeof value === 'string' ? bare(value) : value,
      source: given.has(name) ? 'command line' : configured.has(name) ? 'configuration file' : 'default',
    }))
  const environment = Object.entries(process.env)
    .filter(([name]) => ofInterest.test(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value = '']) => ({
      name,
      source: 'environment',
      ...((tellable.test(name) || harmless.test(value)) && { value: bare(value) }),
    }))
  return { options, environment }
}

const timingsOf = ({ checks, steps = [], startedAt, durationMs }: Report) => ({
  startedAt,
  durationMs,
  checks: checks
    .map(({ id, target, state, ms }) => ({ id, ...(target !== undefined && { target }), state, ms }))
    .toSorted((a, b) => b.ms - a.ms),
  steps: steps.map(({ action, path, state, beganAt, ms, sent }) => ({ action, path, state, beganAt, ms, sent })),
})

const about = `A support bundle of mlflow-doctor.

report.txt      the report as a terminal shows it, with every figure
report.html     the same as a page
report.json     the same as data
settings.json   options and variables with where they come from; values only of what is no secret
versions.json   the tool, Node and the system
timings.json    how long each check and each step took, longest first

Credentials, signed addresses and journals are not in here: what is known to be secret, or has the shape of a secret, was
replaced by [redacted]. Names of files, hosts, buckets and experiments are: look before you send it.
`

/** @throws Trouble `usage` when the file cannot be written */
export const writeBundle = async (file: string, report: Report, asked: Asked): Promise<void> => {
  const home = homedir()
  // The report went through the redactor already; settings have not, and a home folder names its user.
  const clean: Redact = (text) => {
    const out = asked.redact(text)
    return home.length > 1 ? out.replaceAll(home, '~') : out
  }
  const json = (value: unknown): string => `${jsonText(JSON.stringify(redactAll(value, clean), undefined, 2))}\n`
  const told = redactAll(report, clean)
  const versions = {
    mlflowDoctor: asked.version,
    node: process.versions.node,
    openssl: process.versions.openssl,
    platform: platform(),
    release: release(),
    arch: arch(),
  }
  const options = { color: false, verbose: true, unicode: true }
  const files: Record<string, string> = {
    'README.txt': about,
    'report.txt': await render('pretty', told, options),
    'report.html': await render('html', told, options),
    'report.json': await render('json', told, options),
    'settings.json': json(settingsOf(asked)),
    'versions.json': json(versions),
    'timings.json': json(timingsOf(told)),
  }
  const folder = 'mlflow-doctor-bundle'
  const zipped = zipSync(
    Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, strToU8(text)])),
    // The time of the run, so that the same run gives the same archive.
    { mtime: new Date(Math.max(Date.parse(report.startedAt), Date.UTC(1980, 0, 2))) },
  )
  await writeNamed(`the support bundle to ${file}`, () => writeFile(file, zipped, { mode: 0o600 }))
}
