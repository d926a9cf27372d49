import { parseArgs } from 'node:util'
import { startHaproxy } from './haproxy.ts'
import { LOGIN, startMlflow } from './mlflow.ts'
import { startNginx } from './nginx.ts'
import type { Running } from './running.ts'
import { startSeaweed } from './seaweed.ts'
import { MLFLOW_VERSIONS } from './venv.ts'

// `npm run lab`: one deployment for use by hand, until Ctrl-C.

const USAGE = `npm run lab -- [--store s3|folder] [--engine uvicorn|gunicorn] [--version ${MLFLOW_VERSIONS.join('|')}]
               [--front nginx|haproxy] [--body-limit 1m] [--auth]

Brings up one MLflow server with its store, and a proxy in front of it when asked for. Stays until Ctrl-C.
`

function oneOf<T extends string>(name: string, value: string | undefined, choices: readonly T[]): T | undefined {
  if (value === undefined) return undefined
  const found = choices.find((choice) => choice === value)
  if (found === undefined) throw new Error(`--${name} takes ${choices.join(', ')}`)
  return found
}

function options() {
  const { values } = parseArgs({
    options: {
      store: { type: 'string' },
      engine: { type: 'string' },
      version: { type: 'string' },
      front: { type: 'string' },
      'body-limit': { type: 'string' },
      auth: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  const front = oneOf('front', values.front, ['nginx', 'haproxy'])
  const bodyLimit = values['body-limit']
  if (bodyLimit !== undefined && front !== 'nginx') throw new Error('--body-limit needs --front nginx')
  return {
    help: values.help ?? false,
    store: oneOf('store', values.store, ['s3', 'folder']) ?? 'folder',
    engine: oneOf('engine', values.engine, ['uvicorn', 'gunicorn']),
    version: oneOf('version', values.version, MLFLOW_VERSIONS),
    front,
    bodyLimit,
    auth: values.auth ?? false,
  }
}

async function bringUp(asked: ReturnType<typeof options>): Promise<void> {
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  const up: Running[] = []
  try {
    const weed = asked.store === 's3' ? await startSeaweed() : undefined
    if (weed !== undefined) up.push(weed)
    const { engine, version } = asked
    const mlflow = await startMlflow({
      ...(engine === undefined ? {} : { engine }),
      ...(version === undefined ? {} : { version }),
      ...(weed === undefined ? {} : { artifactsDestination: `s3://${await weed.bucket()}/mlflow`, env: weed.env }),
      auth: asked.auth,
    })
    up.push(mlflow)
    let url = mlflow.url
    if (asked.front === 'nginx') {
      const directives = asked.bodyLimit === undefined ? '' : `client_max_body_size ${asked.bodyLimit};`
      const front = await startNginx({ upstream: url, directives })
      up.push(front)
      url = front.url
    } else if (asked.front === 'haproxy') {
      const front = await startHaproxy({ upstream: url })
      up.push(front)
      url = front.url
    }
    const exports = {
      MLFLOW_TRACKING_URI: url,
      ...(asked.auth ? { MLFLOW_TRACKING_USERNAME: LOGIN.username, MLFLOW_TRACKING_PASSWORD: LOGIN.password } : {}),
      ...weed?.env,
    }
    for (const [name, value] of Object.entries(exports)) console.log(`export ${name}=${value}`)
    console.log(
      `# artifacts: ${mlflow.destination}\n# the server itself: ${mlflow.url}, its folder ${mlflow.dir}\n# Ctrl-C ends it`,
    )
    await interrupted
  } finally {
    for (const running of up.reverse()) await running.stop()
  }
}

let asked: ReturnType<typeof options> | undefined
try {
  asked = options()
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
  process.exitCode = 2
}
if (asked?.help) process.stdout.write(USAGE)
else if (asked !== undefined) await bringUp(asked)
