import { Globe, Plus } from "lucide-react";
import { useMemo, useState } from "react";
import type { DnsName, DnsSettings } from "@/api/answers";
import { useIsAdmin } from "@/api/current-org";
import { Confirm } from "@/components/confirm";
import { DataTable } from "@/components/data-table";
import { SearchBox } from "@/components/search-box";
import { Notice } from "@/components/states";
import { Button } from "@/components/ui/button";
import { recordColumns, type RecordRow } from "./record-columns";
import { RecordDialog } from "./record-dialog";
import { useDnsChange } from "./queries";

/** All names of the network: those of machines, made by themselves, and records of one's own. */
export function RecordsCard({ dns: { dns_records: records, domain, settings } }: { dns: DnsSettings }) {
  const isAdmin = useIsAdmin();
  const [text, setText] = useState("");
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<RecordRow | null>(null);
  const columns = useMemo(() => recordColumns(domain, isAdmin ? setRemoving : undefined), [domain, isAdmin]);
  const rows = useMemo(() => matching(records, text).sort(customFirst).map(rowOf), [records, text]);
  const add = isAdmin && (
    <Button tone="primary" onClick={() => setAdding(true)}>
      <Plus /> Add record
    </Button>
  );
  return (
    <section aria-labelledby="records">
      <header className="mt-3 mb-3 flex flex-wrap items-center gap-2">
        <div className="min-w-0 flex-1 basis-56">
          <h2 id="records" className="text-[1.06rem] font-semibold tracking-tight">
            Records
          </h2>
          {!settings.magic_dns_enabled && <p className="text-muted">MagicDNS is off: machines have no names, and records are not answered.</p>}
        </div>
        {records.length > 0 && (
          <>
            <SearchBox label="Name or value" value={text} onChange={setText} />
            {add}
          </>
        )}
      </header>
      {records.length === 0 ? (
        <Notice icon={<Globe />} title="No record yet" action={add}>
          {settings.magic_dns_enabled
            ? "Each machine gets its names by itself. Add records for anything else that should have one."
            : "Switch MagicDNS on to give every machine a name, or add records of your own for later."}
        </Notice>
      ) : rows.length === 0 ? (
        <Notice icon={<Globe />} title="No record matches" action={<Button onClick={() => setText("")}>Clear search</Button>} />
      ) : (
        <DataTable label="Records" rows={rows} columns={columns} rowHeight={50} />
      )}
      {adding && <RecordDialog domain={domain} onClose={() => setAdding(false)} />}
      {removing && <RemoveRecord record={removing} onClose={() => setRemoving(null)} />}
    </section>
  );
}

function rowOf(record: DnsName): RecordRow {
  return { ...record, id: record.id ?? `${record.name} ${record.type}`, recordId: record.id };
}

// What people made themselves is not to be looked for behind a thousand machines.
function customFirst(one: DnsName, other: DnsName): number {
  return Number(one.source === "machine") - Number(other.source === "machine");
}

function matching(records: DnsName[], text: string): DnsName[] {
  const wanted = text.trim().toLowerCase();
  return records.filter(({ name, value }) => `${name} ${value}`.toLowerCase().includes(wanted));
}

function RemoveRecord({ record, onClose }: { record: RecordRow; onClose: () => void }) {
  const remove = useDnsChange("remove_record", "Record removed");
  return (
    <Confirm title={`Remove ${record.name}?`} action="Remove" onClose={onClose} onConfirm={() => remove.mutateAsync({ record_id: record.recordId ?? "" })}>
      Its {record.type} record, <code className="font-mono break-all">{record.value}</code>, is no longer answered.
    </Confirm>
  );
}
