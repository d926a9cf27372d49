import { defineCheck, type Finding, type On } from '../../src/check.ts'
import { tracking, trackingReach } from '../../src/needs/declarations.ts'

export const facts = {
  origin: 'text',
  phase: 'text',
  status: 'count',
  software: 'text',
  dns: 'ms',
  tcp: 'ms',
  tls: 'ms',
  http: 'ms',
} as const

/** The value of the need: how a host was reached. */
export type Reached = On<typeof trackingReach, never>['trackingReach']

const phases = {
  dns: 'looking up its name',
  tcp: 'connecting',
  tls: 'the TLS handshake',
  http: 'the HTTP request',
} as const

/** What is wrong with the way to a host, if anything. An HTTP status is an answer, unless a gateway gave it in place of the server. */
export const judge = (reach: Reached, who: string): Finding<typeof facts> | undefined => {
  const { failed, status, software, origin, ms } = reach
  const proxy = reach.traces['environment-proxy']
  const through = proxy === undefined ? '' : ` through the proxy ${proxy} from the environment`
  const seen = {
    origin,
    ...ms,
    ...(status !== undefined && { status }),
    ...(software !== undefined && { software }),
  }
  if (failed) {
    return {
      kind: 'finding',
      at: origin,
      says: `${who} at ${origin} cannot be used${through}: ${phases[failed.phase]} failed, ${failed.why}`,
      facts: { ...seen, phase: failed.phase },
      remedy: { text: `${failed.todo}.` },
    }
  }
  if (status === 502 || status === 503 || status === 504) {
    const by = software === undefined ? 'what stands in front of it' : software
    return {
      kind: 'finding',
      at: origin,
      says: `${by} answers at ${origin}${through}, but ${who} behind it does not (${status})`,
      facts: seen,
      remedy: {
        text: `Start or unblock ${who}, and look into the log of ${by} for the address that it tried.`,
      },
    }
  }
  return undefined
}

export default defineCheck({
  id: 'network/reach',
  title: 'The tracking server can be reached',
  severity: 'error',
  on: ['check'],
  needs: [trackingReach],
  wants: [],
  facts,
  explain: {
    measures:
      "Looks up the tracking server's name, connects to each of its addresses, makes the TLS handshake and asks for one API path, each phase timed apart, through the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY prescribe, as MLflow's own requests would go.",
    breaks:
      'MLflow retries a server that cannot be reached for minutes and then shows "Max retries exceeded" without the reason. A redirect turns its POST and PUT requests into GET, so that reading works and uploads fail.',
    remedy:
      'The message names the phase that failed and the variable or server setting that mends it: MLFLOW_TRACKING_URI, MLFLOW_TRACKING_SERVER_CERT_PATH, MLFLOW_TRACKING_CLIENT_CERT_PATH, the proxy variables, or --allowed-hosts of the server.',
  },
  async *run({ trackingReach: reach }) {
    const finding = judge(reach, 'the tracking server')
    const stops = [tracking.name]
    if (finding) {
      yield { ...finding, stops }
      return
    }
    const { status, traces, origin } = reach
    if (status === undefined || status < 300 || status >= 400 || status === 304) return
    const to = traces.location ?? 'another address'
    const keeps = status === 307 || status === 308
    yield {
      kind: 'finding',
      at: origin,
      ...(keeps && { severity: 'warning' as const }),
      says: keeps
        ? `the tracking server redirects to ${to} (${status}), so every upload is sent twice`
        : `the tracking server redirects to ${to} (${status}), which turns MLflow's POST and PUT requests into GET`,
      facts: { origin, status },
      stops,
      remedy: {
        text: /login|auth|signin|sso/i.test(to)
          ? 'Ask for an address of the server that takes tokens in place of a login page, and set MLFLOW_TRACKING_TOKEN.'
          : 'Put the address that it leads to into MLFLOW_TRACKING_URI.',
      },
    }
  },
})
