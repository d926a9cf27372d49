import { explained } from '../catalogue.ts'
import { Trouble } from '../errors.ts'
import { jsonText } from '../reporters/escape.ts'
import { defineCommand } from './command.ts'

export default defineCommand<{ id: string; json: boolean }>({
  name: 'explain',
  summary: 'Explain a check: what it measures, what breaks, what to do',
  positionals: { id: { type: 'string', describe: 'As `mlflow-doctor list` shows it', demandOption: true } },
  options: { json: { type: 'boolean', default: false, describe: 'As JSON' } },
  examples: [['mlflow-doctor explain proxy/body-limit', 'Why large files end in 413']],
  print: async ({ id, json }, checks) => {
    const check = checks.find((known) => known.id === id)
    if (!check) {
      throw new Trouble({
        kind: 'usage',
        what: `cannot explain "${id}"`,
        why: 'there is no such check',
        todo: 'See `mlflow-doctor list` for the ids',
      })
    }
    const about = explained(check)
    if (json) return `${jsonText(JSON.stringify(about, undefined, 2))}\n`
    const facts = Object.entries(about.facts).map(([name, unit]) => `  ${name} (${unit})`)
    return [
      `${about.id}: ${about.title}`,
      `Severity at most ${about.severity}; part of ${about.commands.join(' and ')}; runs ${about.runs}; touches: ${about.touches}`,
      '',
      `Measures  ${about.measures}`,
      `Breaks    ${about.breaks}`,
      `Remedy    ${about.remedy}`,
      ...(facts.length > 0 ? ['', 'Figures in the report:', ...facts] : []),
      '',
    ].join('\n')
  },
})
