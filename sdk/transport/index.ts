/** Connections between devices and their controller. */
export { connectMqtt, type MqttOptions } from './mqtt.ts';
export type { Incoming, PublishOptions, Transport, Will } from './transport.ts';
