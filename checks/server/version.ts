import { defineCheck, type Limit } from '../../src/check.ts'
import { paced, plannedUpload, route, server, settings, transfers } from '../../src/needs/declarations.ts'
import { bytes, duration, isBefore } from '../../src/words.ts'
import { defects, type Engine, type Setting } from './data/defects.ts'

/** Milliseconds of `timeout` unless gunicorn is told otherwise (its documentation); a worker was ended after 30.2 s (measured). */
const workerMs = 30_000
/** Seconds to set where nothing is planned: an hour is longer than most uploads take. */
const generous = 3600

export default defineCheck({
  id: 'server/version',
  title: 'This version of the MLflow server has no defect that the planned uploads would meet',
  severity: 'warning',
  on: ['check'],
  needs: [server, route],
  wants: [settings, plannedUpload, transfers, paced],
  facts: { serverVersion: 'text', engine: 'text', since: 'text', needed: 'bytes' },
  explain: {
    measures:
      'Compares the version that the server tells, and the program that answers (uvicorn or gunicorn: by the Server header, else the default of that version), with what is known of them: bodies that are kept in memory, uploads that are stored although they broke off, arguments that are left out. For gunicorn it takes the 30 s after which a busy worker is ended, unless a canary has lasted longer or --deep has measured another figure. Only what goes through this server counts. Without a plan nothing is more than information.',
    breaks:
      "A server that keeps bodies in memory is ended by its container's limit in mid-upload, with all other uploads that it was busy with. A worker of gunicorn that takes longer than 30 s for one request, to receive the file and to pass it on, is killed; the client sees a closed connection or 502, and sends all of it again.",
    remedy:
      'Servers from 3.15.0 on stream bodies to the disk under uvicorn, their default. Where gunicorn stays, give it --timeout.',
  },
  async *run({ server, route: by, settings, plannedUpload: plan, transfers: measured, paced: held }) {
    const { version, software } = server.info
    // What is uploaded elsewhere, this server does not see.
    if (version === undefined || !by.proxied || by.firstHop !== new URL(server.uri).origin) return
    const seen = /^(gunicorn|uvicorn|waitress|werkzeug)/i.exec(software ?? '')?.[1]?.toLowerCase()
    const engine = seen ?? (isBefore(version, '3.3.0') ? 'gunicorn' : 'uvicorn')
    const inParts = by.multipart && (plan === undefined || plan.largest >= by.multipartMinimum)
    const whole = plan?.files.flatMap(({ bytes: size }) => (by.multipart && size >= by.multipartMinimum ? [] : [size]))
    const setting: Setting = {
      largest: whole?.reduce((most, size) => Math.max(most, size), 0),
      inParts,
      extraArguments: Object.keys(settings?.s3.extraArgs ?? {}).length > 0,
    }
    const under: Engine | undefined = engine === 'gunicorn' || engine === 'uvicorn' ? engine : undefined
    const runs = `MLflow ${version}${under === undefined ? '' : ` under ${under}`}`

    const lasted = (measured?.get('proxied-put')?.tries ?? [])
      .filter(({ failed }) => failed === undefined)
      .reduce((most, { bodyMs, answerMs }) => Math.max(most, bodyMs + (answerMs ?? 0)), 0)
    if (under === 'gunicorn' && lasted <= workerMs && held?.body === undefined) yield workerLimit(runs, seen)

    for (const row of defects) {
      if (row.engine !== undefined && row.engine !== under) continue
      if (row.from !== undefined && isBefore(version, row.from)) continue
      if (row.before !== undefined && !isBefore(version, row.before)) continue
      if (!row.applies(setting)) continue
      const known = row.threads.length === 0 ? '' : ` (mlflow/mlflow${row.threads.join(', ')})`
      const needed = row.memory === undefined ? undefined : row.memory * (setting.largest ?? 0)
      const memory =
        row.memory === undefined
          ? ''
          : needed
            ? `; the largest planned file of ${bytes(setting.largest ?? 0)} takes ${bytes(needed)} of the server's memory, for each upload at a time`
            : `; it takes ${row.memory} times the size of each file that is being uploaded`
      yield {
        kind: 'finding',
        at: by.firstHop,
        severity: plan === undefined ? 'info' : row.severity,
        says: `${row.engine === undefined ? `MLflow ${version}` : runs} ${row.does}${memory}${known}`,
        facts: {
          serverVersion: version,
          ...(under !== undefined && { engine: under }),
          ...(row.before !== undefined && { since: row.before }),
          ...(needed && { needed }),
        },
        remedy: {
          text: row.remedy,
          ...(row.install !== undefined && { commands: [`pip install 'mlflow${row.install}'`] }),
        },
      }
    }
  },
})

/**
 * A buffering proxy in front, which hides gunicorn's name, hands the body on in one go: then only the way on to the store
 * counts (seen with nginx in front of 2.22.1).
 */
const workerLimit = (runs: string, seen: string | undefined): Limit => ({
  kind: 'limit',
  hop: 'server',
  setting: '--timeout of gunicorn',
  scope: seen === undefined ? 'answer' : 'request',
  max: { ms: workerMs },
  basis: 'assumed',
  routes: ['proxied-put'],
  because: `${runs} ends a worker that is busy with one request for longer than ${duration(workerMs)}, unless it was started with another --timeout`,
  remedy: (needed) => ({
    text: 'Start the server with this, unless it has a longer --timeout already. uvicorn, the default from MLflow 3.3 on, has no such limit.',
    commands: [`mlflow server --gunicorn-opts "--timeout ${Math.ceil((needed ?? 0) / 1000) || generous}"`],
  }),
})
