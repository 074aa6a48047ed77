import { type SelfTests, selfTests } from './self-tests.ts';

/** As a process of another Node: takes the request as JSON, prints the results as JSON. */
console.log(JSON.stringify(await selfTests(JSON.parse(process.argv[2]!) as SelfTests)));
