/** HTML pages with SVG plots from plain data; no script, nothing from outside the file. */

export { type BarPlot, barPlot, type HeatMap, heatMap, type IntervalPlot, intervalPlot } from './chart.ts';
export {
  bitsFigure,
  type CompressionSummary,
  componentsFigure,
  compressionFigures,
  compressionPage,
  errorsFigure,
  frontierFigure,
  kilobytes,
  type LayerSummary,
  layerTable,
  percent,
  progressiveFigure,
} from './compression-report.ts';
export { type FrontierSize, type FrontierSummary, frontierPage } from './frontier-report.ts';
export {
  type Column,
  type Content,
  escapeHtml,
  type Figure,
  figureOf,
  html,
  type Markup,
  markup,
  type Page,
  pageOf,
  tableOf,
} from './html.ts';
export { type Guide, type LinePlot, linePlot, type Point, type Series } from './plot.ts';
export { type ProfileLayer, type ProfileSummary, profilePage } from './profile-report.ts';
export { type RolloutReport, type RolloutWave, rolloutPage } from './rollout-report.ts';
export { type Axis, type Colour, niceTicks, ratioTicks } from './svg.ts';
