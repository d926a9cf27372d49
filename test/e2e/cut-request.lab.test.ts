/** Requests that end before their body does: servers under gunicorn store what came as if it were whole, and `scan` finds it. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { examined } from '../doctor.ts'
import { startMlflow } from '../lab/index.ts'

/** Declares the whole body, sends its beginning and ends the connection without an error, as a stopped proxy or client does. */
const sendCut = async (server: string, path: string, declared: number, sent: Uint8Array): Promise<void> => {
  const { hostname, port } = new URL(server)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.resume()
  await once(socket, 'connect')
  const head = `PUT /api/2.0/mlflow-artifacts/artifacts/${path} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: ${declared}\r\n\r\n`
  socket.end(Buffer.concat([Buffer.from(head), sent]))
  await once(socket, 'close')
}

const safetensors = (bytes: number): Buffer => {
  const header = `{"w":{"dtype":"U8","shape":[${bytes}],"data_offsets":[0,${bytes}]}}`
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, Buffer.from(header), randomBytes(bytes)])
}

test.each(['2.22.1', '3.17.2'] as const)('MLflow %s under gunicorn', async (version) => {
  const server = await startMlflow({ version, engine: 'gunicorn' })
  try {
    const made = await fetch(`${server.url}/api/2.0/mlflow/runs/create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ experiment_id: '0', start_time: Date.now() }),
    })
    const { run } = (await made.json()) as { run: { info: { run_id: string; artifact_uri: string } } }
    const root = run.info.artifact_uri.replace(/^mlflow-artifacts:\/*/, '')
    const target = `runs:/${run.info.run_id}`
    const whole = safetensors(20_000_000)
    const stored = async (name: string) =>
      (await stat(join(server.destination, root, name)).catch(() => undefined))?.size

    const put = await fetch(`${server.url}/api/2.0/mlflow-artifacts/artifacts/${root}/whole.safetensors`, {
      method: 'PUT',
      body: whole,
    })
    expect(put.status).toBe(200)
    const healthy = await examined(['scan', target], { env: { MLFLOW_TRACKING_URI: server.url } })
    expect(healthy.checks.flatMap(({ findings }) => findings)).toEqual([])
    expect(healthy.exitCode).toBe(0)

    await sendCut(server.url, `${root}/cut.safetensors`, whole.length, whole.subarray(0, 5_000_000))
    await sendCut(server.url, `${root}/headers.safetensors`, whole.length, Buffer.alloc(0))
    await expect.poll(() => stored('cut.safetensors'), { timeout: 60_000 }).toBe(5_000_000)
    await expect.poll(() => stored('headers.safetensors'), { timeout: 60_000 }).toBe(0)
    const scanned = async (...args: string[]) => {
      const report = await examined(['scan', target, ...args], { env: { MLFLOW_TRACKING_URI: server.url } })
      const found = report.checks.flatMap(({ id, findings }) => findings.map(({ at, severity }) => [id, severity, at]))
      expect(report.exitCode).toBe(1)
      return { found: found.sort(), gaps: report.covered.gaps }
    }
    const empty = ['artifact/empty-files', 'error', `${target}/headers.safetensors`]
    // These servers give no part of a file: the cut one cannot be told through them, and that is said.
    const through = await scanned()
    expect(through.found).toEqual([empty])
    expect(through.gaps).toContainEqual(
      expect.objectContaining({ at: `${target}/cut.safetensors`, about: 'structure' }),
    )
    const direct = await scanned('--artifacts-destination', server.destination)
    expect(direct.found).toEqual([empty, ['artifact/structure', 'error', `${target}/cut.safetensors`]])
  } finally {
    await server.stop()
  }
})
