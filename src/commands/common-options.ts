import { gapTopics, severities } from '../check.ts'
import { configurationPlaces } from '../configuration/places.ts'
import { formats } from '../reporters/index.ts'
import { progressKinds } from '../reporters/progress.ts'
import type { Option } from './command.ts'

/** `--timeout` unless told. */
export const usualTimeout = '60s'
/** The same with `--deep`: two requests that are watched for five and a half minutes each, one after the other. */
export const deepTimeout = '12m'

/** Taken by every command that ends in a report. */
export const commonOptions: Readonly<Record<string, Option>> = {
  'tracking-uri': {
    type: 'string',
    requiresArg: true,
    describe:
      'Tracking server, sqlite database or folder (else MLFLOW_TRACKING_URI, else what MLflow itself would take)',
  },
  'artifacts-destination': {
    type: 'string',
    requiresArg: true,
    describe: 'Where a proxying server keeps its artifacts, for those who hold credentials for it: s3://bucket/prefix',
  },
  'trust-host': {
    type: 'string',
    array: true,
    requiresArg: true,
    default: [],
    describe: 'A store host, learnt from the server, that may receive your store credentials',
  },
  only: {
    type: 'string',
    array: true,
    requiresArg: true,
    default: [],
    describe: 'Run only these checks: an id, or a pattern such as store/*',
  },
  skip: { type: 'string', array: true, requiresArg: true, default: [], describe: 'Leave these checks out' },
  severity: {
    type: 'string',
    array: true,
    requiresArg: true,
    default: [],
    describe: 'Weigh a check differently: ID=error, ID=warning, ID=info',
  },
  'fail-on': { choices: severities, default: 'error', describe: 'Exit 1 from this severity on' },
  require: {
    choices: gapTopics,
    array: true,
    requiresArg: true,
    default: [],
    describe: 'Exit 3 when this could not be looked at',
  },
  timeout: {
    type: 'string',
    requiresArg: true,
    defaultDescription: `${usualTimeout}, or ${deepTimeout} for check --deep`,
    describe: 'How long one check may take on one target: 60s, 5m',
  },
  'read-only': {
    type: 'boolean',
    default: false,
    describe: 'Write nothing, no canary either; what needs one is skipped',
  },
}

/** Taken by every command: what there is to list and to explain depends on it too. */
export const loadOption: Readonly<Record<string, Option>> = {
  load: {
    type: 'string',
    array: true,
    requiresArg: true,
    default: [],
    describe: 'A module with checks of your own: ./my-checks.js, or the name of an installed package',
  },
}

/** How the report is printed. */
export const outputOptions: Readonly<Record<string, Option>> = {
  format: { choices: formats, default: 'pretty', describe: 'Format of the report' },
  json: { type: 'boolean', default: false, describe: 'The same as --format json' },
  output: { type: 'string', requiresArg: true, describe: 'Write the report to this file instead of standard output' },
  report: {
    type: 'string',
    array: true,
    requiresArg: true,
    default: [],
    describe: 'Write the same report in another format too: html=report.html',
  },
  bundle: {
    type: 'string',
    requiresArg: true,
    describe:
      'Write a support bundle without secrets to this file: report, versions, settings with their source, timings',
  },
  config: {
    type: 'string',
    requiresArg: true,
    describe: `Configuration file (else ${configurationPlaces}, here or in a folder above)`,
  },
  color: { type: 'boolean', describe: 'Colour, also where it is not a terminal (--no-color: never)' },
  unicode: {
    type: 'boolean',
    describe: 'Signs and bars beyond ASCII, also where the terminal seems to lack them (--no-unicode: never)',
  },
  progress: {
    choices: progressKinds,
    default: 'auto',
    describe: 'Progress on standard error: bars on a terminal and lines elsewhere, always lines, JSON lines, or none',
  },
  quiet: { type: 'boolean', default: false, describe: 'No progress' },
  verbose: { type: 'boolean', default: false, describe: 'Skipped checks and stack traces too' },
}
