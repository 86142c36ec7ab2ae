<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
  <context>
    <name>window</name>
    <message>
      <source>{n_passed} of {n} passed</source>
      <translation>{n_passed} von {n} bestanden</translation>
    </message>
    <message>
      <source>recovering</source>
      <translation>erholt sich</translation>
    </message>
    <message>
      <source>It was bad until now. Wait some seconds.</source>
      <translation>Sie war bis jetzt schlecht. Einige Sekunden warten.</translation>
    </message>
    <message>
      <source>marked as bad</source>
      <translation>als schlecht markiert</translation>
    </message>
    <message>
      <source>no data</source>
      <translation>keine Daten</translation>
    </message>
    <message>
      <source>The amplifier sends no numbers for this channel: check its settings.</source>
      <translation>Der Verstärker sendet für diesen Kanal keine Zahlen: seine Einstellungen prüfen.</translation>
    </message>
    <message>
      <source>flat</source>
      <translation>flach</translation>
    </message>
    <message>
      <source>There is no signal at all: check plug and cable.</source>
      <translation>Es kommt gar kein Signal: Stecker und Kabel prüfen.</translation>
    </message>
    <message>
      <source>saturated</source>
      <translation>übersteuert</translation>
    </message>
    <message>
      <source>The amplifier is at its limit: check gel, ground and reference.</source>
      <translation>Der Verstärker ist an seiner Grenze: Gel, Erdung und Referenz prüfen.</translation>
    </message>
    <message>
      <source>mains hum</source>
      <translation>Netzbrummen</translation>
    </message>
    <message>
      <source>Improve the contact, and keep mains cables away.</source>
      <translation>Den Kontakt verbessern und Netzkabel fernhalten.</translation>
    </message>
    <message>
      <source>unlike the others</source>
      <translation>anders als die anderen</translation>
    </message>
    <message>
      <source>Its signal is far stronger or weaker than that of the others: check the gel.</source>
      <translation>Ihr Signal ist viel stärker oder schwächer als das der anderen: das Gel prüfen.</translation>
    </message>
    <message>
      <source>no contact</source>
      <translation>kein Kontakt</translation>
    </message>
    <message>
      <source>It does not vary like its neighbours: press it on, or add gel.</source>
      <translation>Sie schwankt nicht wie ihre Nachbarn: andrücken oder Gel nachfüllen.</translation>
    </message>
    <message>
      <source>About Earmark</source>
      <translation>Über Earmark</translation>
    </message>
    <message>
      <source>For research use only. It is not a medical device.
Licence: {licence}. To cite it, see CITATION.cff in its source.</source>
      <translation>Nur für die Forschung. Kein Medizinprodukt.
Lizenz: {licence}. Zum Zitieren siehe CITATION.cff im Quelltext.</translation>
    </message>
    <message>
      <source>Copy versions</source>
      <translation>Versionen kopieren</translation>
    </message>
    <message>
      <source>({n_channels} ch)</source>
      <translation>({n_channels} K)</translation>
    </message>
    <message>
      <source>Stream health</source>
      <translation>Zustand des Streams</translation>
    </message>
    <message>
      <source>● NO DATA 000 s  (256 ch)</source>
      <translation>● OHNE DATEN 000 s (256 K)</translation>
    </message>
    <message>
      <source>Measured and nominal sample rate</source>
      <translation>Gemessene und nominelle Abtastrate</translation>
    </message>
    <message>
      <source>Decision latency: median and 99th percentile, and the limit</source>
      <translation>Latenz der Entscheidungen: Median und 99. Perzentil, und die Grenze</translation>
    </message>
    <message>
      <source>lat 000/000 of 000 ms</source>
      <translation>Lat 000/000 von 000 ms</translation>
    </message>
    <message>
      <source>Gaps in streams, and decisions dropped because they were late</source>
      <translation>Lücken in Streams, und Entscheidungen, die zu spät kamen und verworfen wurden</translation>
    </message>
    <message>
      <source>gaps 000 · late 000</source>
      <translation>Lücken 000 · spät 000</translation>
    </message>
    <message>
      <source>Sound</source>
      <translation>Ton</translation>
    </message>
    <message>
      <source>xruns 000</source>
      <translation>xruns 000</translation>
    </message>
    <message>
      <source>Recording</source>
      <translation>Aufzeichnung</translation>
    </message>
    <message>
      <source>● REC STALLED 000.0 MB</source>
      <translation>● REC STOCKT 000.0 MB</translation>
    </message>
    <message>
      <source>Data rate of the recording</source>
      <translation>Datenrate der Aufzeichnung</translation>
    </message>
    <message>
      <source>Time until the disk is full</source>
      <translation>Zeit, bis die Festplatte voll ist</translation>
    </message>
    <message>
      <source>disk 000 days</source>
      <translation>frei 000 Tage</translation>
    </message>
    <message>
      <source>gaps {gaps} · late {n_dropped}</source>
      <translation>Lücken {gaps} · spät {n_dropped}</translation>
    </message>
    <message>
      <source> of {budget}</source>
      <translation> von {budget}</translation>
    </message>
    <message>
      <source>lat {p50}/{p99}{budget} ms</source>
      <translation>Lat {p50}/{p99}{budget} ms</translation>
    </message>
    <message>
      <source>NO SOUND</source>
      <translation>KEIN TON</translation>
    </message>
    <message>
      <source>no stream</source>
      <translation>kein Stream</translation>
    </message>
    <message>
      <source>NO DATA {engine_age} {channels}</source>
      <translation>OHNE DATEN {engine_age} {channels}</translation>
    </message>
    <message>
      <source>lat {unknown}</source>
      <translation>Lat {unknown}</translation>
    </message>
    <message>
      <source>not recording</source>
      <translation>keine Aufzeichnung</translation>
    </message>
    <message>
      <source>STALLED </source>
      <translation>STOCKT </translation>
    </message>
    <message>
      <source>● REC {words}{bytes}</source>
      <translation>● REC {words}{bytes}</translation>
    </message>
    <message>
      <source>xruns {xruns}</source>
      <translation>xruns {xruns}</translation>
    </message>
    <message>
      <source>● {age_s} old {channels}</source>
      <translation>● {age_s} alt {channels}</translation>
    </message>
    <message>
      <source>ALARM</source>
      <translation>ALARM</translation>
    </message>
    <message>
      <source>disk {hours_left}</source>
      <translation>frei {hours_left}</translation>
    </message>
    <message>
      <source>disk {free_bytes}</source>
      <translation>frei {free_bytes}</translation>
    </message>
    <message>
      <source>no sound</source>
      <translation>kein Ton</translation>
    </message>
    <message>
      <source>NO DATA</source>
      <translation>KEINE DATEN</translation>
    </message>
    <message>
      <source>Cancel</source>
      <translation>Abbrechen</translation>
    </message>
    <message>
      <source>Redo</source>
      <translation>Wiederholen</translation>
    </message>
    <message>
      <source>The current trial, or the last one if none is running, does not count and is repeated at the end.</source>
      <translation>Der laufende Trial, oder der letzte, wenn keiner läuft, zählt nicht und wird am Ende wiederholt.</translation>
    </message>
    <message>
      <source>Discard</source>
      <translation>Verwerfen</translation>
    </message>
    <message>
      <source>The decoder is deleted. Its recording is kept.</source>
      <translation>Der Decoder wird gelöscht. Seine Aufzeichnung bleibt erhalten.</translation>
    </message>
    <message>
      <source>Stop</source>
      <translation>Stopp</translation>
    </message>
    <message>
      <source>The calibration ends without a decoder. The data recorded so far is kept.</source>
      <translation>Die Kalibrierung endet ohne Decoder. Die bisher aufgezeichneten Daten bleiben erhalten.</translation>
    </message>
    <message>
      <source>The run ends now and cannot be continued. The data recorded so far is kept and can be scored.</source>
      <translation>Der Durchgang endet jetzt und kann nicht fortgesetzt werden. Die bisher aufgezeichneten Daten bleiben erhalten und können ausgewertet werden.</translation>
    </message>
    <message>
      <source>Drop one thing at a time: a session.toml, a folder of a session, run or study, or a recording</source>
      <translation>Nur eines auf einmal ablegen: eine session.toml, den Ordner einer Sitzung, eines Durchgangs oder einer Studie, oder eine Aufzeichnung</translation>
    </message>
    <message>
      <source>{path} is the plan of a session: drop the session.toml beside it</source>
      <translation>{path} ist der Plan einer Sitzung: die session.toml daneben ablegen</translation>
    </message>
    <message>
      <source>{path} is not the folder of a session, run or study: there is no session.toml and no loop.xdf</source>
      <translation>{path} ist nicht der Ordner einer Sitzung, eines Durchgangs oder einer Studie: es gibt dort keine session.toml und keine loop.xdf</translation>
    </message>
    <message>
      <source>{name} cannot be opened. {one}</source>
      <translation>{name} kann nicht geöffnet werden. {one}</translation>
    </message>
    <message>
      <source>Blinks</source>
      <translation>Blinzeln</translation>
    </message>
    <message>
      <source>The listener blinks again and again</source>
      <translation>Der Hörer blinzelt immer wieder</translation>
    </message>
    <message>
      <source>Muscles</source>
      <translation>Muskeln</translation>
    </message>
    <message>
      <source>The listener clenches the jaw</source>
      <translation>Der Hörer beißt die Zähne zusammen</translation>
    </message>
    <message>
      <source>Loose electrode</source>
      <translation>Lose Elektrode</translation>
    </message>
    <message>
      <source>One electrode loses contact</source>
      <translation>Eine Elektrode verliert den Kontakt</translation>
    </message>
    <message>
      <source>Flat channel</source>
      <translation>Flacher Kanal</translation>
    </message>
    <message>
      <source>One channel is constant</source>
      <translation>Ein Kanal ist konstant</translation>
    </message>
    <message>
      <source>Mains hum</source>
      <translation>Netzbrummen</translation>
    </message>
    <message>
      <source>50 Hz in all electrodes</source>
      <translation>50 Hz in allen Elektroden</translation>
    </message>
    <message>
      <source>Packet loss</source>
      <translation>Paketverlust</translation>
    </message>
    <message>
      <source>The amplifier loses packets</source>
      <translation>Der Verstärker verliert Pakete</translation>
    </message>
    <message>
      <source>Cable out</source>
      <translation>Kabel ab</translation>
    </message>
    <message>
      <source>The amplifier is disconnected; it is back when this is switched off</source>
      <translation>Der Verstärker ist getrennt; er ist wieder da, wenn dies ausgeschaltet wird</translation>
    </message>
    <message>
      <source>Not listening</source>
      <translation>Hört nicht zu</translation>
    </message>
    <message>
      <source>The listener attends to nobody, whatever the cues say</source>
      <translation>Der Hörer achtet auf niemanden, gleich was die Hinweise sagen</translation>
    </message>
    <message>
      <source>Rehearsal, faults:</source>
      <translation>Probe, Störungen:</translation>
    </message>
    <message>
      <source>Fault: {name}</source>
      <translation>Störung: {name}</translation>
    </message>
    <message>
      <source>{n:.0f} days</source>
      <translation>{n:.0f} Tage</translation>
    </message>
    <message>
      <source>&amp;Session</source>
      <translation>&amp;Sitzung</translation>
    </message>
    <message>
      <source>&amp;Start page</source>
      <translation>&amp;Startseite</translation>
    </message>
    <message>
      <source>Ne&amp;xt step</source>
      <translation>&amp;Nächster Schritt</translation>
    </message>
    <message>
      <source>Re&amp;hearse a session …</source>
      <translation>Eine Sitzung &amp;proben …</translation>
    </message>
    <message>
      <source>&amp;Check everything</source>
      <translation>Alles prü&amp;fen</translation>
    </message>
    <message>
      <source>&amp;Run</source>
      <translation>&amp;Durchgang</translation>
    </message>
    <message>
      <source>&amp;Pause or resume</source>
      <translation>An&amp;halten oder fortsetzen</translation>
    </message>
    <message>
      <source>S&amp;top the calibration or run</source>
      <translation>Aufzeichnung s&amp;toppen</translation>
    </message>
    <message>
      <source>&amp;Mode of the next run</source>
      <translation>&amp;Modus des Durchgangs</translation>
    </message>
    <message>
      <source>&amp;Length of the next run</source>
      <translation>&amp;Länge des Durchgangs</translation>
    </message>
    <message>
      <source>Write a &amp;note</source>
      <translation>Eine N&amp;otiz schreiben</translation>
    </message>
    <message>
      <source>Close this &amp;window</source>
      <translation>Dieses Fenster schli&amp;eßen</translation>
    </message>
    <message>
      <source>S&amp;ound</source>
      <translation>T&amp;on</translation>
    </message>
    <message>
      <source>&amp;Mute</source>
      <translation>&amp;Stumm</translation>
    </message>
    <message>
      <source>Mute or &amp;unmute</source>
      <translation>Stumm oder wieder &amp;hörbar</translation>
    </message>
    <message>
      <source>&amp;Equal gains for all</source>
      <translation>&amp;Gleiche Pegel für alle</translation>
    </message>
    <message>
      <source>Follow &amp;decisions</source>
      <translation>Den &amp;Entscheidungen folgen</translation>
    </message>
    <message>
      <source>&amp;View</source>
      <translation>&amp;Ansicht</translation>
    </message>
    <message>
      <source>&amp;Setup</source>
      <translation>&amp;Vorbereitung</translation>
    </message>
    <message>
      <source>&amp;Live</source>
      <translation>&amp;Live</translation>
    </message>
    <message>
      <source>Cal&amp;ibrate</source>
      <translation>&amp;Kalibrieren</translation>
    </message>
    <message>
      <source>&amp;Review</source>
      <translation>Aus&amp;wertung</translation>
    </message>
    <message>
      <source>St&amp;udy</source>
      <translation>Stud&amp;ie</translation>
    </message>
    <message>
      <source>&amp;Freeze the traces</source>
      <translation>Spuren an&amp;halten</translation>
    </message>
    <message>
      <source>&amp;Traces larger</source>
      <translation>Spuren &amp;größer</translation>
    </message>
    <message>
      <source>Traces s&amp;maller</source>
      <translation>Spuren kleine&amp;r</translation>
    </message>
    <message>
      <source>S&amp;horter sweep</source>
      <translation>Kür&amp;zerer Durchlauf</translation>
    </message>
    <message>
      <source>Longer s&amp;weep</source>
      <translation>Längerer Dur&amp;chlauf</translation>
    </message>
    <message>
      <source>Ne&amp;xt display filter</source>
      <translation>Nächster &amp;Anzeigefilter</translation>
    </message>
    <message>
      <source>&amp;Channels per page</source>
      <translation>Kanäle pro Seit&amp;e</translation>
    </message>
    <message>
      <source>Pre&amp;vious channels</source>
      <translation>V&amp;orige Kanäle</translation>
    </message>
    <message>
      <source>Next cha&amp;nnels</source>
      <translation>&amp;Nächste Kanäle</translation>
    </message>
    <message>
      <source>&amp;Participant screen</source>
      <translation>&amp;Bildschirm zur Person</translation>
    </message>
    <message>
      <source>&amp;Dark or light</source>
      <translation>&amp;Dunkel oder hell</translation>
    </message>
    <message>
      <source>L&amp;ock the layout</source>
      <translation>Anordnung s&amp;perren</translation>
    </message>
    <message>
      <source>R&amp;eset the layout</source>
      <translation>Anordnung zurückse&amp;tzen</translation>
    </message>
    <message>
      <source>Mar&amp;kers</source>
      <translation>&amp;Marker</translation>
    </message>
    <message>
      <source>&amp;Texts of the markers</source>
      <translation>&amp;Texte der Marker</translation>
    </message>
    <message>
      <source>&amp;Help</source>
      <translation>&amp;Hilfe</translation>
    </message>
    <message>
      <source>&amp;Keys</source>
      <translation>&amp;Tasten</translation>
    </message>
    <message>
      <source>&amp;About Earmark</source>
      <translation>Ü&amp;ber Earmark</translation>
    </message>
    <message>
      <source>Start</source>
      <translation>Start</translation>
    </message>
    <message>
      <source>Setup</source>
      <translation>Aufbau</translation>
    </message>
    <message>
      <source>Live</source>
      <translation>Live</translation>
    </message>
    <message>
      <source>Calibrate</source>
      <translation>Kalibrieren</translation>
    </message>
    <message>
      <source>Review</source>
      <translation>Auswertung</translation>
    </message>
    <message>
      <source>Study</source>
      <translation>Studie</translation>
    </message>
    <message>
      <source>Solo talker &amp;{k} ({letter})</source>
      <translation>Nur Sprecher &amp;{k} ({letter})</translation>
    </message>
    <message>
      <source>Mute or unmute talker {k} ({letter})</source>
      <translation>Sprecher {k} ({letter}) stumm, hörbar</translation>
    </message>
    <message>
      <source>Trim of talker {k} ({letter})</source>
      <translation>Trimmung {k} ({letter})</translation>
    </message>
    <message>
      <source>Marker {k}</source>
      <translation>Marker {k}</translation>
    </message>
    <message>
      <source>Esc only mutes: it does not close this list. Press ? again, or click anywhere else.</source>
      <translation>Esc schaltet nur stumm. ? oder ein Klick anderswohin schließt diese Liste.</translation>
    </message>
    <message>
      <source>Keys</source>
      <translation>Tasten</translation>
    </message>
    <message>
      <source>Close</source>
      <translation>Schließen</translation>
    </message>
    <message>
      <source>Close the list of keys</source>
      <translation>Liste der Tasten schließen</translation>
    </message>
    <message>
      <source>Space</source>
      <translation>Leertaste</translation>
    </message>
    <message>
      <source>Freeze, when the traces have the focus</source>
      <translation>Spuren mit Fokus anhalten</translation>
    </message>
    <message>
      <source>Scroll frozen traces (Shift+wheel)</source>
      <translation>Darin blättern (Umschalt+Rad)</translation>
    </message>
    <message>
      <source>Wheel</source>
      <translation>Rad</translation>
    </message>
    <message>
      <source>Larger or smaller traces</source>
      <translation>Spuren größer oder kleiner</translation>
    </message>
    <message>
      <source>Ctrl+wheel</source>
      <translation>Strg+Rad</translation>
    </message>
    <message>
      <source>Longer or shorter sweep</source>
      <translation>Längerer oder kürzerer Durchlauf</translation>
    </message>
    <message>
      <source>Each key writes its text as a note into the recording, at the time at which it is pressed.</source>
      <translation>Jede Taste schreibt ihren Text als Notiz in die Aufzeichnung, zu der Zeit, zu der sie gedrückt wird.</translation>
    </message>
    <message>
      <source>movement</source>
      <translation>Bewegung</translation>
    </message>
    <message>
      <source>noise in the room</source>
      <translation>Lärm im Raum</translation>
    </message>
    <message>
      <source>talking</source>
      <translation>spricht</translation>
    </message>
    <message>
      <source>electrode touched</source>
      <translation>Elektrode berührt</translation>
    </message>
    <message>
      <source>not listening</source>
      <translation>hört nicht zu</translation>
    </message>
    <message>
      <source>Marker keys</source>
      <translation>Markertasten</translation>
    </message>
    <message>
      <source>Close the texts of the marker keys</source>
      <translation>Texte der Markertasten schließen</translation>
    </message>
    <message>
      <source>Text of the marker key {number}</source>
      <translation>Text der Markertaste {number}</translation>
    </message>
    <message>
      <source>Key {number}</source>
      <translation>Taste {number}</translation>
    </message>
    <message>
      <source>no text</source>
      <translation>kein Text</translation>
    </message>
    <message>
      <source>Next step</source>
      <translation>Nächster Schritt</translation>
    </message>
    <message>
      <source>starting the session</source>
      <translation>die Sitzung wird gestartet</translation>
    </message>
    <message>
      <source>create and open {name}</source>
      <translation>{name} anlegen und öffnen</translation>
    </message>
    <message>
      <source>scoring the run</source>
      <translation>der Durchgang wird ausgewertet</translation>
    </message>
    <message>
      <source>the session does not respond</source>
      <translation>die Sitzung antwortet nicht</translation>
    </message>
    <message>
      <source>THE SESSION DIED: its process is gone. Start it again, as before or on the start page (Ctrl+0). Recordings in {folder} are missing at most the last second</source>
      <translation>DIE SITZUNG IST ABGESTÜRZT: ihr Prozess ist fort. Neu starten, wie zuvor oder auf der Startseite (Strg+0). Den Aufzeichnungen in {folder} fehlt höchstens die letzte Sekunde</translation>
    </message>
    <message>
      <source>THE SESSION DOES NOT RESPOND: its process is stopped, or the computer is overloaded. Sound and recording continue; commands, including mute, wait until it responds</source>
      <translation>DIE SITZUNG ANTWORTET NICHT: ihr Prozess ist angehalten, oder der Rechner ist überlastet. Ton und Aufzeichnung gehen weiter; Befehle, auch Stumm, warten, bis sie antwortet</translation>
    </message>
    <message>
      <source>The session has ended. Its recordings are in {folder}</source>
      <translation>Die Sitzung ist beendet. Ihre Aufzeichnungen liegen in {folder}</translation>
    </message>
    <message>
      <source>The replay has ended; nothing was recorded</source>
      <translation>Die Wiedergabe ist zu Ende; nichts wurde aufgezeichnet</translation>
    </message>
    <message>
      <source>No session is running in {folder}</source>
      <translation>In {folder} läuft keine Sitzung</translation>
    </message>
    <message>
      <source>Last message</source>
      <translation>Letzte Meldung</translation>
    </message>
    <message>
      <source>Connected to the session</source>
      <translation>Mit der Sitzung verbunden</translation>
    </message>
    <message>
      <source>name</source>
      <translation>Name</translation>
    </message>
    <message>
      <source>type</source>
      <translation>Typ</translation>
    </message>
    <message>
      <source>channels</source>
      <translation>Kanäle</translation>
    </message>
    <message>
      <source>host</source>
      <translation>Rechner</translation>
    </message>
    <message>
      <source>LSL streams on the network</source>
      <translation>LSL-Streams im Netzwerk</translation>
    </message>
    <message>
      <source>Search &amp;again</source>
      <translation>&amp;Erneut suchen</translation>
    </message>
    <message>
      <source>Search for streams again</source>
      <translation>Erneut nach Streams suchen</translation>
    </message>
    <message>
      <source>&amp;Use this stream</source>
      <translation>Diesen Stream &amp;verwenden</translation>
    </message>
    <message>
      <source>Use the chosen stream</source>
      <translation>Den gewählten Stream verwenden</translation>
    </message>
    <message>
      <source>&amp;Close</source>
      <translation>&amp;Schließen</translation>
    </message>
    <message>
      <source>Close the list of streams</source>
      <translation>Liste der Streams schließen</translation>
    </message>
    <message>
      <source>Open a &amp;session.toml …</source>
      <translation>Eine session.&amp;toml öffnen …</translation>
    </message>
    <message>
      <source>Open a session file</source>
      <translation>Eine Sitzungsdatei öffnen</translation>
    </message>
    <message>
      <source>Searching …</source>
      <translation>Suche läuft …</translation>
    </message>
    <message>
      <source>Choose the stream of the amplifier.</source>
      <translation>Den Stream des Verstärkers wählen.</translation>
    </message>
    <message>
      <source>No LSL stream found. Start the sender. If it runs on another computer, connect both to the same network and allow LSL in their firewalls. 'earmark doctor' checks this computer.</source>
      <translation>Kein LSL-Stream gefunden. Den Sender starten. Läuft er auf einem anderen Rechner, beide mit demselben Netzwerk verbinden und LSL in ihren Firewalls erlauben. „earmark doctor“ prüft diesen Rechner.</translation>
    </message>
    <message>
      <source>irregular</source>
      <translation>unregelmäßig</translation>
    </message>
    <message>
      <source>Question to the listener</source>
      <translation>Frage an den Hörer</translation>
    </message>
    <message>
      <source>Answer</source>
      <translation>Antwort</translation>
    </message>
    <message>
      <source>Answer (Enter sends)</source>
      <translation>Antwort (Eingabe sendet)</translation>
    </message>
    <message>
      <source>&amp;Send</source>
      <translation>&amp;Senden</translation>
    </message>
    <message>
      <source>Send the answer</source>
      <translation>Die Antwort senden</translation>
    </message>
    <message>
      <source>Recordings ({suffixes})</source>
      <translation>Aufzeichnungen ({suffixes})</translation>
    </message>
    <message>
      <source>stream</source>
      <translation>Stream</translation>
    </message>
    <message>
      <source>ch</source>
      <translation>K</translation>
    </message>
    <message>
      <source>Recording to look at</source>
      <translation>Aufzeichnung zum Ansehen</translation>
    </message>
    <message>
      <source>What is shown</source>
      <translation>Was gezeigt wird</translation>
    </message>
    <message>
      <source>Position in the recording</source>
      <translation>Stelle in der Aufzeichnung</translation>
    </message>
    <message>
      <source>Streams of the recording; choose one to show it</source>
      <translation>Streams der Aufzeichnung; einen wählen, um ihn zu zeigen</translation>
    </message>
    <message>
      <source>Markers; choose one to go there</source>
      <translation>Marker; einen wählen, um dorthin zu gehen</translation>
    </message>
    <message>
      <source>Reading {name} …</source>
      <translation>{name} wird gelesen …</translation>
    </message>
    <message>
      <source>{path}: {seconds} min, {n_channels} channels at {sfreq:g} Hz, {n_markers} markers</source>
      <translation>{path}: {seconds} min, {n_channels} Kanäle mit {sfreq:g} Hz, {n_markers} Marker</translation>
    </message>
    <message>
      <source>Streams (double-click shows one)</source>
      <translation>Streams (Doppelklick zeigt einen)</translation>
    </message>
    <message>
      <source>Markers (click goes there)</source>
      <translation>Marker (Klick führt dorthin)</translation>
    </message>
    <message>
      <source>{error}. Double-click a stream to show it</source>
      <translation>{error}. Einen Stream doppelt anklicken, um ihn zu zeigen</translation>
    </message>
    <message>
      <source>Sound is heard at speed 1 only</source>
      <translation>Ton ist nur bei Geschwindigkeit 1 zu hören</translation>
    </message>
    <message>
      <source>fastest</source>
      <translation>so schnell es geht</translation>
    </message>
    <message>
      <source>Time of the replay</source>
      <translation>Zeit der Wiedergabe</translation>
    </message>
    <message>
      <source>Go to another time: everything before it is computed again, as fast as possible</source>
      <translation>Zu einer anderen Zeit gehen: alles davor wird so schnell wie möglich neu berechnet</translation>
    </message>
    <message>
      <source>Time and length of the recording</source>
      <translation>Zeit und Länge der Aufzeichnung</translation>
    </message>
    <message>
      <source>00:00 of 00:00</source>
      <translation>00:00 von 00:00</translation>
    </message>
    <message>
      <source>Speed of the replay</source>
      <translation>Geschwindigkeit der Wiedergabe</translation>
    </message>
    <message>
      <source>&amp;Loop</source>
      <translation>Sch&amp;leife</translation>
    </message>
    <message>
      <source>Start the replay again at its end</source>
      <translation>Die Wiedergabe an ihrem Ende neu beginnen</translation>
    </message>
    <message>
      <source>{time} of {seconds}</source>
      <translation>{time} von {seconds}</translation>
    </message>
    <message>
      <source>idle</source>
      <translation>untätig</translation>
    </message>
    <message>
      <source>checking</source>
      <translation>prüft</translation>
    </message>
    <message>
      <source>calibrating</source>
      <translation>kalibriert</translation>
    </message>
    <message>
      <source>training</source>
      <translation>trainiert</translation>
    </message>
    <message>
      <source>ready</source>
      <translation>bereit</translation>
    </message>
    <message>
      <source>running</source>
      <translation>läuft</translation>
    </message>
    <message>
      <source>paused</source>
      <translation>angehalten</translation>
    </message>
    <message>
      <source>review</source>
      <translation>Auswertung</translation>
    </message>
    <message>
      <source>live</source>
      <translation>live</translation>
    </message>
    <message>
      <source>demo</source>
      <translation>Demo</translation>
    </message>
    <message>
      <source>rehearsal</source>
      <translation>Probe</translation>
    </message>
    <message>
      <source>replay</source>
      <translation>Wiedergabe</translation>
    </message>
    <message>
      <source>view</source>
      <translation>Ansicht</translation>
    </message>
    <message>
      <source>silent</source>
      <translation>still</translation>
    </message>
    <message>
      <source>lost</source>
      <translation>verloren</translation>
    </message>
    <message>
      <source>refused</source>
      <translation>abgelehnt</translation>
    </message>
    <message>
      <source>failed</source>
      <translation>fehlgeschlagen</translation>
    </message>
    <message>
      <source>used</source>
      <translation>verwendet</translation>
    </message>
    <message>
      <source>cut</source>
      <translation>abgebrochen</translation>
    </message>
    <message>
      <source>excluded</source>
      <translation>ausgeschlossen</translation>
    </message>
    <message>
      <source>unusable</source>
      <translation>unbrauchbar</translation>
    </message>
    <message>
      <source>closed</source>
      <translation>geschlossen</translation>
    </message>
    <message>
      <source>open</source>
      <translation>offen</translation>
    </message>
    <message>
      <source>sham</source>
      <translation>Schein</translation>
    </message>
    <message>
      <source>no decoder</source>
      <translation>kein Decoder</translation>
    </message>
    <message>
      <source>waiting for a decision</source>
      <translation>wartet auf eine Entscheidung</translation>
    </message>
    <message>
      <source>steered</source>
      <translation>gesteuert</translation>
    </message>
    <message>
      <source>held: decisions are late</source>
      <translation>gehalten: Entscheidungen kommen spät</translation>
    </message>
    <message>
      <source>neutral: no decision for too long</source>
      <translation>neutral: zu lange keine Entscheidung</translation>
    </message>
    <message>
      <source>neutral: stream lost</source>
      <translation>neutral: Stream verloren</translation>
    </message>
    <message>
      <source>neutral: too many bad channels</source>
      <translation>neutral: zu viele schlechte Kanäle</translation>
    </message>
    <message>
      <source>override</source>
      <translation>Eingriff</translation>
    </message>
    <message>
      <source>muted</source>
      <translation>stumm</translation>
    </message>
    <message>
      <source>note</source>
      <translation>Notiz</translation>
    </message>
    <message>
      <source>answer</source>
      <translation>Antwort</translation>
    </message>
    <message>
      <source>cue</source>
      <translation>Hinweis</translation>
    </message>
    <message>
      <source>trim</source>
      <translation>Trimmung</translation>
    </message>
    <message>
      <source>mute</source>
      <translation>Stumm</translation>
    </message>
    <message>
      <source>pause</source>
      <translation>Pause</translation>
    </message>
    <message>
      <source>gap</source>
      <translation>Lücke</translation>
    </message>
    <message>
      <source>alarm</source>
      <translation>Alarm</translation>
    </message>
    <message>
      <source>other</source>
      <translation>Sonstiges</translation>
    </message>
    <message>
      <source>attention</source>
      <translation>Aufmerksamkeit</translation>
    </message>
    <message>
      <source>evidence</source>
      <translation>Evidenz</translation>
    </message>
    <message>
      <source>events</source>
      <translation>Ereignisse</translation>
    </message>
    <message>
      <source>gains</source>
      <translation>Pegel</translation>
    </message>
    <message>
      <source>latency</source>
      <translation>Latenz</translation>
    </message>
    <message>
      <source>probability</source>
      <translation>Wahrscheinlichkeit</translation>
    </message>
    <message>
      <source>quality</source>
      <translation>Qualität</translation>
    </message>
    <message>
      <source>scene</source>
      <translation>Szene</translation>
    </message>
    <message>
      <source>spectrum</source>
      <translation>Spektrum</translation>
    </message>
    <message>
      <source>topomap</source>
      <translation>Kopfkarte</translation>
    </message>
    <message>
      <source>traces</source>
      <translation>Spuren</translation>
    </message>
    <message>
      <source>closed loop</source>
      <translation>geschlossener Kreis</translation>
    </message>
    <message>
      <source>open loop</source>
      <translation>offener Kreis</translation>
    </message>
    <message>
      <source>SHAM</source>
      <translation>SCHEINSTEUERUNG</translation>
    </message>
    <message>
      <source>Kind of session</source>
      <translation>Art der Sitzung</translation>
    </message>
    <message>
      <source>NO SESSION</source>
      <translation>LEER</translation>
    </message>
    <message>
      <source>Gain of talker {number}, {name}</source>
      <translation>Pegel von Sprecher {number}, {name}</translation>
    </message>
    <message>
      <source>MUTED</source>
      <translation>STUMM</translation>
    </message>
    <message>
      <source>State of the session</source>
      <translation>Zustand der Sitzung</translation>
    </message>
    <message>
      <source>running, closed loop</source>
      <translation>läuft, geschlossener Kreis</translation>
    </message>
    <message>
      <source>Progress</source>
      <translation>Fortschritt</translation>
    </message>
    <message>
      <source>block 12/12  00:00 of 00:00</source>
      <translation>Block 12/12  00:00 von 00:00</translation>
    </message>
    <message>
      <source>Mute all sound</source>
      <translation>Allen Ton stumm schalten</translation>
    </message>
    <message>
      <source>Mute all sound (Esc)</source>
      <translation>Allen Ton stumm schalten (Esc)</translation>
    </message>
    <message>
      <source>Unmute</source>
      <translation>Hörbar</translation>
    </message>
    <message>
      <source>Unmute (M)</source>
      <translation>Wieder hörbar (M)</translation>
    </message>
    <message>
      <source>SESSION DIED</source>
      <translation>SITZUNG ABGESTÜRZT</translation>
    </message>
    <message>
      <source>block {block}/{n_blocks}  </source>
      <translation>Block {block}/{n_blocks}  </translation>
    </message>
    <message>
      <source> of {seconds}</source>
      <translation> von {seconds}</translation>
    </message>
    <message>
      <source>NOT MUTED!</source>
      <translation>NICHT STUMM!</translation>
    </message>
    <message>
      <source>Applied gain of {name}; * means that it includes your trim</source>
      <translation>Wirksamer Pegel von {name}; * heißt: mit Ihrer Trimmung</translation>
    </message>
    <message>
      <source>no session</source>
      <translation>keine Sitzung</translation>
    </message>
    <message>
      <source>WAITING FOR ANSWER</source>
      <translation>WARTET AUF ANTWORT</translation>
    </message>
    <message>
      <source>MUTE  Esc</source>
      <translation>STUMM  Esc</translation>
    </message>
    <message>
      <source>undecided</source>
      <translation>unentschieden</translation>
    </message>
    <message>
      <source>override: {name}</source>
      <translation>Eingriff: {name}</translation>
    </message>
    <message>
      <source>open loop: gains do not follow</source>
      <translation>offener Kreis: Pegel folgen nicht</translation>
    </message>
    <message>
      <source>sham: the other is turned up</source>
      <translation>Scheinsteuerung: der andere wird lauter</translation>
    </message>
    <message>
      <source>rest, still {words}</source>
      <translation>Pause, noch {words}</translation>
    </message>
    <message>
      <source>the session died</source>
      <translation>die Sitzung ist abgestürzt</translation>
    </message>
    <message>
      <source>no decision</source>
      <translation>keine Entscheidung</translation>
    </message>
    <message>
      <source>completing the recording</source>
      <translation>die Aufzeichnung wird abgeschlossen</translation>
    </message>
    <message>
      <source>no engine: gains hold, then go neutral</source>
      <translation>kein Rechenprozess: Pegel bleiben, dann neutral</translation>
    </message>
    <message>
      <source>the engine does not respond</source>
      <translation>der Rechenprozess antwortet nicht</translation>
    </message>
    <message>
      <source>no decision for {old}</source>
      <translation>seit {old} keine Entscheidung</translation>
    </message>
    <message>
      <source>Attention verdict</source>
      <translation>Urteil über die Aufmerksamkeit</translation>
    </message>
    <message>
      <source>P&amp;anels</source>
      <translation>&amp;Felder</translation>
    </message>
    <message>
      <source>Displa&amp;y of the participant screen</source>
      <translation>Anzeige fAnzeige f&amp;ür denür den Bildschirm der Versuchsperson</translation>
    </message>
    <message>
      <source>{language} from the next time this window is opened</source>
      <translation>{language} ab dem nächsten Öffnen dieses Fensters</translation>
    </message>
    <message>
      <source>Ending the recording …</source>
      <translation>Die Aufzeichnung wird beendet …</translation>
    </message>
    <message>
      <source>Page: {page}</source>
      <translation>Seite: {page}</translation>
    </message>
    <message>
      <source>Lan&amp;guage</source>
      <translation>&amp;Sprache</translation>
    </message>
    <message>
      <source>{command}: no session is open. Start one on the start page (Ctrl+0)</source>
      <translation>{command}: es ist keine Sitzung offen. Auf der Startseite eine starten (Strg+0)</translation>
    </message>
    <message>
      <source>Training continues if you close this window. </source>
      <translation>Das Training geht weiter, wenn Sie dieses Fenster schließen. </translation>
    </message>
    <message>
      <source>'earmark dashboard {folder}' shows it again.</source>
      <translation>„earmark dashboard {folder}“ zeigt es wieder.</translation>
    </message>
    <message>
      <source>A recording is in progress</source>
      <translation>Eine Aufzeichnung läuft</translation>
    </message>
    <message>
      <source>Sound, decisions and recording continue if you close this window. 'earmark dashboard {folder}' shows it again.</source>
      <translation>Ton, Entscheidungen und Aufzeichnung gehen weiter, wenn Sie dieses Fenster schließen. „earmark dashboard {folder}“ zeigt es wieder.</translation>
    </message>
    <message>
      <source>Participant screen</source>
      <translation>Bildschirm der Versuchsperson</translation>
    </message>
    <message>
      <source>The simulated listener now attends to the talker you clicked: gains will follow within seconds</source>
      <translation>Der simulierte Hörer beachtet jetzt den Sprecher, den Sie angeklickt haben: die Pegel folgen in einigen Sekunden</translation>
    </message>
    <message>
      <source>A decoder is being trained</source>
      <translation>Ein Decoder wird trainiert</translation>
    </message>
    <message>
      <source>Close; the session continues</source>
      <translation>Schließen; die Sitzung geht weiter</translation>
    </message>
    <message>
      <source>End the recording, then close</source>
      <translation>Die Aufzeichnung beenden, dann schließen</translation>
    </message>
    <message>
      <source>the process ended with status {status} and no message</source>
      <translation>der Prozess endete mit Status {status} und ohne Meldung</translation>
    </message>
    <message>
      <source>{name} is recording or training: stop it (Ctrl+.), or wait for its end, then start another</source>
      <translation>{name} zeichnet auf oder trainiert: stoppen (Strg+.) oder das Ende abwarten, dann eine andere starten</translation>
    </message>
    <message>
      <source>Starting the demonstration …</source>
      <translation>Die Demonstration wird gestartet …</translation>
    </message>
    <message>
      <source>Rehearse a session</source>
      <translation>Eine Sitzung proben</translation>
    </message>
    <message>
      <source>Sessions (*.toml)</source>
      <translation>Sitzungen (*.toml)</translation>
    </message>
    <message>
      <source>Starting the rehearsal …</source>
      <translation>Die Probe wird gestartet …</translation>
    </message>
    <message>
      <source>Session</source>
      <translation>Sitzung</translation>
    </message>
    <message>
      <source>Starting {name} …</source>
      <translation>{name} wird gestartet …</translation>
    </message>
    <message>
      <source>Recording of a run</source>
      <translation>Aufzeichnung eines Durchgangs</translation>
    </message>
    <message>
      <source>Runs (loop*.xdf)</source>
      <translation>Durchgänge (loop*.xdf)</translation>
    </message>
    <message>
      <source>Another session is starting: wait for it</source>
      <translation>Eine andere Sitzung startet gerade: warten, bis sie läuft</translation>
    </message>
    <message>
      <source>No session was opened before</source>
      <translation>Es wurde noch keine Sitzung geöffnet</translation>
    </message>
    <message>
      <source>{folder} no longer exists: choose another way to start</source>
      <translation>{folder} gibt es nicht mehr: auf andere Weise beginnen</translation>
    </message>
    <message>
      <source>The session cannot be started: {error}</source>
      <translation>Die Sitzung kann nicht gestartet werden: {error}</translation>
    </message>
    <message>
      <source>The session did not start: {ended}</source>
      <translation>Die Sitzung startete nicht: {ended}</translation>
    </message>
    <message>
      <source>the process ended with status {returncode}</source>
      <translation>der Prozess endete mit Status {returncode}</translation>
    </message>
    <message>
      <source>1  Check</source>
      <translation>1  Prüfen</translation>
    </message>
    <message>
      <source>2  Trials</source>
      <translation>2  Trials</translation>
    </message>
    <message>
      <source>3  Decoder</source>
      <translation>3  Decoder</translation>
    </message>
    <message>
      <source>4  Accept</source>
      <translation>4  Annehmen</translation>
    </message>
    <message>
      <source>{block}{elapsed} of {seconds}{left}</source>
      <translation>{block}{elapsed} von {seconds}{left}</translation>
    </message>
    <message>
      <source>{limit} (p = 0.05): guessing reaches it one time in twenty</source>
      <translation>{limit} (p = 0,05): Raten erreicht sie einmal in zwanzig Fällen</translation>
    </message>
    <message>
      <source>{accuracy} of {n} decisions were correct, cross-validated</source>
      <translation>{accuracy} von {n} Entscheidungen waren richtig, kreuzvalidiert</translation>
    </message>
    <message>
      <source>Cue to the listener</source>
      <translation>Hinweis an den Hörer</translation>
    </message>
    <message>
      <source>Trial</source>
      <translation>Trial</translation>
    </message>
    <message>
      <source>Progress of the calibration</source>
      <translation>Fortschritt der Kalibrierung</translation>
    </message>
    <message>
      <source>Good channels</source>
      <translation>Gute Kanäle</translation>
    </message>
    <message>
      <source>Accuracy so far</source>
      <translation>Genauigkeit bisher</translation>
    </message>
    <message>
      <source>&amp;Finish after this trial</source>
      <translation>Danach &amp;enden</translation>
    </message>
    <message>
      <source>&amp;Accept: go to the run</source>
      <translation>&amp;Annehmen</translation>
    </message>
    <message>
      <source>Records trials with cues to train a decoder for this listener. All checks run first.</source>
      <translation>Zeichnet Trials mit Hinweisen auf, um einen Decoder für diesen Hörer zu trainieren. Alle Prüfungen laufen zuerst.</translation>
    </message>
    <message>
      <source>block {block} of {n_blocks}, </source>
      <translation>Block {block} von {n_blocks}, </translation>
    </message>
    <message>
      <source>, {next_cue_s:.0f} s to the next cue</source>
      <translation>, {next_cue_s:.0f} s bis zum nächsten Hinweis</translation>
    </message>
    <message>
      <source>too few decisions for a chance limit</source>
      <translation>zu wenige Entscheidungen für eine Zufallsgrenze</translation>
    </message>
    <message>
      <source>&amp;Begin</source>
      <translation>&amp;Beginnen</translation>
    </message>
    <message>
      <source>Redo &amp;trial</source>
      <translation>Trial &amp;wiederholen</translation>
    </message>
    <message>
      <source>&amp;Stop</source>
      <translation>&amp;Stopp</translation>
    </message>
    <message>
      <source>&amp;Train the decoder</source>
      <translation>&amp;Trainieren</translation>
    </message>
    <message>
      <source>&amp;Discard the decoder</source>
      <translation>&amp;Verwerfen</translation>
    </message>
    <message>
      <source>Begin the calibration</source>
      <translation>Die Kalibrierung beginnen</translation>
    </message>
    <message>
      <source>Discard the current or the last trial, and repeat it at the end</source>
      <translation>Den laufenden oder den letzten Trial verwerfen und am Ende wiederholen</translation>
    </message>
    <message>
      <source>End after the current trial; then a decoder can be trained on the trials so far</source>
      <translation>Nach dem laufenden Trial enden; danach kann mit den bisherigen Trials ein Decoder trainiert werden</translation>
    </message>
    <message>
      <source>Stop the calibration</source>
      <translation>Die Kalibrierung stoppen</translation>
    </message>
    <message>
      <source>Train a decoder on this calibration</source>
      <translation>Mit dieser Kalibrierung einen Decoder trainieren</translation>
    </message>
    <message>
      <source>Accept the decoder and go to the run</source>
      <translation>Den Decoder annehmen und zum Durchgang gehen</translation>
    </message>
    <message>
      <source>Discard the decoder; the recording is kept</source>
      <translation>Den Decoder verwerfen; die Aufzeichnung bleibt erhalten</translation>
    </message>
    <message>
      <source>No session: start one on the start page (Ctrl+0).</source>
      <translation>Keine Sitzung: auf der Startseite eine starten (Strg+0).</translation>
    </message>
    <message>
      <source>A replay cannot be calibrated.</source>
      <translation>Eine Wiedergabe kann nicht kalibriert werden.</translation>
    </message>
    <message>
      <source>{letter}  attend to {attend}</source>
      <translation>{letter}  auf {attend} hören</translation>
    </message>
    <message>
      <source>waiting for an answer</source>
      <translation>wartet auf eine Antwort</translation>
    </message>
    <message>
      <source>training …</source>
      <translation>Training …</translation>
    </message>
    <message>
      <source>{n_good} of {n} channels good</source>
      <translation>{n_good} von {n} Kanälen gut</translation>
    </message>
    <message>
      <source>accuracy</source>
      <translation>Genauigkeit</translation>
    </message>
    <message>
      <source>comparison</source>
      <translation>Vergleich</translation>
    </message>
    <message>
      <source>chance level</source>
      <translation>Zufallsniveau</translation>
    </message>
    <message>
      <source>{chance_level}: average accuracy of guessing</source>
      <translation>{chance_level}: mittlere Genauigkeit des Ratens</translation>
    </message>
    <message>
      <source>chance limit</source>
      <translation>Zufallsgrenze</translation>
    </message>
    <message>
      <source>trained on</source>
      <translation>trainiert mit</translation>
    </message>
    <message>
      <source>The demo calibrates by itself.</source>
      <translation>Die Demo kalibriert von selbst.</translation>
    </message>
    <message>
      <source>Only this stream is shown: make a session of it to calibrate (Ctrl+Return).</source>
      <translation>Nur dieser Stream wird gezeigt: zum Kalibrieren eine Sitzung daraus machen (Strg+Eingabe).</translation>
    </message>
    <message>
      <source>Checking streams, electrodes, sound and disk …</source>
      <translation>Streams, Elektroden, Ton und Festplatte werden geprüft …</translation>
    </message>
    <message>
      <source>All trials are recorded. Now train a decoder: this takes from seconds to a minute.</source>
      <translation>Alle Trials sind aufgezeichnet. Jetzt einen Decoder trainieren: das dauert von Sekunden bis zu einer Minute.</translation>
    </message>
    <message>
      <source>The session waits for the answer to a question, on the participant's screen or below.</source>
      <translation>Die Sitzung wartet auf die Antwort auf eine Frage, auf dem Bildschirm der Versuchsperson oder unten.</translation>
    </message>
    <message>
      <source>The listener attends to the talker named by the cue. Everything is recorded.</source>
      <translation>Der Hörer achtet auf den Sprecher, den der Hinweis nennt. Alles wird aufgezeichnet.</translation>
    </message>
    <message>
      <source>Training and cross-validating the decoder: this takes from seconds to a minute.</source>
      <translation>Der Decoder wird trainiert und kreuzvalidiert: das dauert von Sekunden bis zu einer Minute.</translation>
    </message>
    <message>
      <source>The decoder is trained. Each trial was tested with a decoder that had not seen it.</source>
      <translation>Der Decoder ist trainiert. Jeder Trial wurde mit einem Decoder geprüft, der ihn nicht kannte.</translation>
    </message>
    <message>
      <source>This session has a decoder, which is never overwritten. To calibrate again, check everything (F7), then discard the decoder.</source>
      <translation>Diese Sitzung hat einen Decoder, und er wird nie überschrieben. Um neu zu kalibrieren, alles prüfen (F7), dann den Decoder verwerfen.</translation>
    </message>
    <message>
      <source>This session has a decoder, which is never overwritten. To calibrate again, use another folder.</source>
      <translation>Diese Sitzung hat einen Decoder, und er wird nie überschrieben. Um neu zu kalibrieren, einen anderen Ordner verwenden.</translation>
    </message>
    <message>
      <source>A run is in progress: calibrate before or after it.</source>
      <translation>Ein Durchgang läuft: davor oder danach kalibrieren.</translation>
    </message>
    <message>
      <source>done</source>
      <translation>fertig</translation>
    </message>
    <message>
      <source>rest</source>
      <translation>Pause</translation>
    </message>
    <message>
      <source>NO BETTER THAN GUESSING. {again}</source>
      <translation>NICHT BESSER ALS RATEN. {again}</translation>
    </message>
    <message>
      <source>better than guessing</source>
      <translation>besser als Raten</translation>
    </message>
    <message>
      <source>starting</source>
      <translation>beginnt</translation>
    </message>
    <message>
      <source>bands</source>
      <translation>Bänder</translation>
    </message>
    <message>
      <source>closed loop: decisions set the gains</source>
      <translation>geschlossener Kreis: Entscheidungen stellen die Pegel</translation>
    </message>
    <message>
      <source>sham: the other is favoured</source>
      <translation>Scheinsteuerung: der andere wird bevorzugt</translation>
    </message>
    <message>
      <source>Mode of the run</source>
      <translation>Modus des Durchgangs</translation>
    </message>
    <message>
      <source>Length of the run in seconds; 0 takes the length of the protocol</source>
      <translation>Länge des Durchgangs in Sekunden; 0 nimmt die Länge des Protokolls</translation>
    </message>
    <message>
      <source>as planned</source>
      <translation>wie geplant</translation>
    </message>
    <message>
      <source>See the r&amp;esult</source>
      <translation>Zum &amp;Ergebnis</translation>
    </message>
    <message>
      <source>See the result of the last run</source>
      <translation>Das Ergebnis des letzten Durchgangs ansehen</translation>
    </message>
    <message>
      <source>Score the last run on the page Review (Ctrl+4)</source>
      <translation>Den letzten Durchgang auf der Seite Auswertung bewerten (Strg+4)</translation>
    </message>
    <message>
      <source>Cue</source>
      <translation>Hinweis</translation>
    </message>
    <message>
      <source>, {next_cue_s:.0f} s left</source>
      <translation>, noch {next_cue_s:.0f} s</translation>
    </message>
    <message>
      <source>Cue: {attend}{follows}</source>
      <translation>Hinweis: {attend}{follows}</translation>
    </message>
    <message>
      <source>The decoder is no better than guessing: check everything (F7), discard the decoder, then calibrate again (Ctrl+3)</source>
      <translation>Der Decoder ist nicht besser als Raten: alles prüfen (F7), den Decoder verwerfen, dann neu kalibrieren (Strg+3)</translation>
    </message>
    <message>
      <source>The decoder is no better than guessing: calibrate again (Ctrl+3)</source>
      <translation>Der Decoder ist nicht besser als Raten: neu kalibrieren (Strg+3)</translation>
    </message>
    <message>
      <source>&amp;Pause</source>
      <translation>&amp;Anhalten</translation>
    </message>
    <message>
      <source>S&amp;top</source>
      <translation>S&amp;topp</translation>
    </message>
    <message>
      <source>Run (Ctrl+R)</source>
      <translation>Durchgang starten (Strg+R)</translation>
    </message>
    <message>
      <source>Pause or resume (Ctrl+P)</source>
      <translation>Anhalten oder fortsetzen (Strg+P)</translation>
    </message>
    <message>
      <source>Resume</source>
      <translation>Fortsetzen</translation>
    </message>
    <message>
      <source>Completing the recording</source>
      <translation>Die Aufzeichnung wird abgeschlossen</translation>
    </message>
    <message>
      <source>The next trial waits: {waiting}</source>
      <translation>Der nächste Trial wartet: {waiting}</translation>
    </message>
    <message>
      <source>Ready to run</source>
      <translation>Bereit zum Durchgang</translation>
    </message>
    <message>
      <source>Checking</source>
      <translation>Prüfung</translation>
    </message>
    <message>
      <source>Training the decoder</source>
      <translation>Der Decoder wird trainiert</translation>
    </message>
    <message>
      <source>Run finished. Run repeats the checks, then starts another</source>
      <translation>Durchgang beendet. Starten wiederholt die Prüfungen und beginnt einen weiteren</translation>
    </message>
    <message>
      <source>The traces of that time are no longer kept; see the run on the page Review (Ctrl+4)</source>
      <translation>Die Spuren dieser Zeit sind nicht mehr im Speicher; siehe den Durchgang auf der Seite Auswertung (Strg+4)</translation>
    </message>
    <message>
      <source>{name}, {type}, {n} channels, {host}</source>
      <translation>{name}, {type}, {n} Kanäle, {host}</translation>
    </message>
    <message>
      <source>Simulated: a rehearsal without a cap</source>
      <translation>Simuliert: eine Probe ohne Kappe</translation>
    </message>
    <message>
      <source>The only EEG stream on the network</source>
      <translation>Der einzige EEG-Stream im Netzwerk</translation>
    </message>
    <message>
      <source>Choose …</source>
      <translation>Wählen …</translation>
    </message>
    <message>
      <source>Choose the folder of the study</source>
      <translation>Den Ordner der Studie wählen</translation>
    </message>
    <message>
      <source>Amplifier</source>
      <translation>Verstärker</translation>
    </message>
    <message>
      <source>Search for amplifiers again</source>
      <translation>Erneut nach Verstärkern suchen</translation>
    </message>
    <message>
      <source>Trials of the calibration</source>
      <translation>Trials der Kalibrierung</translation>
    </message>
    <message>
      <source>Length of a run, s</source>
      <translation>Länge eines Durchgangs, s</translation>
    </message>
    <message>
      <source>Seconds between cues to another talker; 0 for a free choice</source>
      <translation>Sekunden zwischen Hinweisen auf einen anderen Sprecher; 0 für freie Wahl</translation>
    </message>
    <message>
      <source>free choice</source>
      <translation>freie Wahl</translation>
    </message>
    <message>
      <source>Total time</source>
      <translation>Gesamtzeit</translation>
    </message>
    <message>
      <source>What is missing</source>
      <translation>Was fehlt</translation>
    </message>
    <message>
      <source>Create the session and open it</source>
      <translation>Die Sitzung anlegen und öffnen</translation>
    </message>
    <message>
      <source>Back to the start page</source>
      <translation>Zurück zur Startseite</translation>
    </message>
    <message>
      <source>Participant</source>
      <translation>Versuchsperson</translation>
    </message>
    <message>
      <source>Calibration</source>
      <translation>Kalibrierung</translation>
    </message>
    <message>
      <source>Run</source>
      <translation>Durchgang</translation>
    </message>
    <message>
      <source>Settings of the new session</source>
      <translation>Einstellungen der neuen Sitzung</translation>
    </message>
    <message>
      <source>Folder of the study</source>
      <translation>Ordner der Studie</translation>
    </message>
    <message>
      <source>Study: choose the folder for all participants</source>
      <translation>Studie: den Ordner für alle Versuchspersonen wählen</translation>
    </message>
    <message>
      <source>{folder} already exists and is never overwritten: choose another session</source>
      <translation>{folder} gibt es schon und wird nie überschrieben: eine andere Sitzung wählen</translation>
    </message>
    <message>
      <source>Calibration: the number of trials must be a multiple of {n}, so that all talkers get as many</source>
      <translation>Kalibrierung: die Zahl der Trials muss ein Vielfaches von {n} sein, damit alle Sprecher gleich viele bekommen</translation>
    </message>
    <message>
      <source>Calibration {calibration}, run {run}: {total} in total</source>
      <translation>Kalibrierung {calibration}, Durchgang {run}: zusammen {total}</translation>
    </message>
    <message>
      <source>letters and digits, such as 01</source>
      <translation>Buchstaben und Ziffern, etwa 01</translation>
    </message>
    <message>
      <source>Length of a trial, s</source>
      <translation>Länge eines Trials, s</translation>
    </message>
    <message>
      <source>Pause between trials, s</source>
      <translation>Pause zwischen Trials, s</translation>
    </message>
    <message>
      <source>&amp;Create and open</source>
      <translation>&amp;Anlegen und öffnen</translation>
    </message>
    <message>
      <source>&amp;Back</source>
      <translation>&amp;Zurück</translation>
    </message>
    <message>
      <source>{what}: enter a name of letters and digits</source>
      <translation>{what}: einen Namen aus Buchstaben und Ziffern eingeben</translation>
    </message>
    <message>
      <source>{what}: {wrong!r} is not possible, because BIDS permits only the letters A-Z, a-z and digits</source>
      <translation>{what}: {wrong!r} ist nicht möglich, weil BIDS nur die Buchstaben A-Z, a-z und Ziffern erlaubt</translation>
    </message>
    <message>
      <source>Goes to {folder}</source>
      <translation>Kommt nach {folder}</translation>
    </message>
    <message>
      <source>trials of</source>
      <translation>Trials von</translation>
    </message>
    <message>
      <source>switch every</source>
      <translation>Wechsel alle</translation>
    </message>
    <message>
      <source>Who</source>
      <translation>Wer</translation>
    </message>
    <message>
      <source>Talkers</source>
      <translation>Sprecher</translation>
    </message>
    <message>
      <source>Protocol</source>
      <translation>Protokoll</translation>
    </message>
    <message>
      <source>The default output of this computer</source>
      <translation>Die Standardausgabe dieses Rechners</translation>
    </message>
    <message>
      <source>No sound: for a try without a device</source>
      <translation>Kein Ton: für einen Versuch ohne Gerät</translation>
    </message>
    <message>
      <source>Sound output</source>
      <translation>Tonausgabe</translation>
    </message>
    <message>
      <source>&amp;Test sound</source>
      <translation>Ton &amp;prüfen</translation>
    </message>
    <message>
      <source>Test the sound: three seconds of quiet noise on this output</source>
      <translation>Den Ton prüfen: drei Sekunden leises Rauschen auf dieser Ausgabe</translation>
    </message>
    <message>
      <source>Plays three seconds of quiet noise (pink, -30 dBFS) on this output</source>
      <translation>Spielt drei Sekunden leises Rauschen (rosa, -30 dBFS) auf dieser Ausgabe</translation>
    </message>
    <message>
      <source>Level cap, dBFS</source>
      <translation>Höchstpegel, dBFS</translation>
    </message>
    <message>
      <source>Result of the sound test</source>
      <translation>Ergebnis der Tonprüfung</translation>
    </message>
    <message>
      <source>Output</source>
      <translation>Ausgabe</translation>
    </message>
    <message>
      <source>Level cap</source>
      <translation>Höchstpegel</translation>
    </message>
    <message>
      <source>Listing the sound outputs …</source>
      <translation>Die Tonausgaben werden gesucht …</translation>
    </message>
    <message>
      <source>Playing noise …</source>
      <translation>Rauschen läuft …</translation>
    </message>
    <message>
      <source>at most {level:.0f} dB SPL, as measured</source>
      <translation>höchstens {level:.0f} dB SPL, wie gemessen</translation>
    </message>
    <message>
      <source>dB SPL not known: 'earmark level' measures it</source>
      <translation>dB SPL nicht bekannt: „earmark level“ misst es</translation>
    </message>
    <message>
      <source>Was the noise heard on both ears? If not, choose another output</source>
      <translation>War das Rauschen auf beiden Ohren zu hören? Wenn nicht, eine andere Ausgabe wählen</translation>
    </message>
    <message>
      <source>bundled speech, a man</source>
      <translation>mitgelieferte Sprache, ein Mann</translation>
    </message>
    <message>
      <source>bundled speech, a woman</source>
      <translation>mitgelieferte Sprache, eine Frau</translation>
    </message>
    <message>
      <source>channel 1 of the sound input</source>
      <translation>Kanal 1 des Toneingangs</translation>
    </message>
    <message>
      <source>channel 2 of the sound input</source>
      <translation>Kanal 2 des Toneingangs</translation>
    </message>
    <message>
      <source>an LSL stream of sound</source>
      <translation>ein LSL-Stream mit Ton</translation>
    </message>
    <message>
      <source>Sound files (*.wav *.flac *.ogg *.mp3 *.aiff *.aif);;All files (*)</source>
      <translation>Tondateien (*.wav *.flac *.ogg *.mp3 *.aiff *.aif);;Alle Dateien (*)</translation>
    </message>
    <message>
      <source>Add a talker</source>
      <translation>Einen Sprecher hinzufügen</translation>
    </message>
    <message>
      <source>Remove the last talker</source>
      <translation>Den letzten Sprecher entfernen</translation>
    </message>
    <message>
      <source>Name of talker {number}</source>
      <translation>Name von Sprecher {number}</translation>
    </message>
    <message>
      <source>Source of talker {number}</source>
      <translation>Quelle von Sprecher {number}</translation>
    </message>
    <message>
      <source>A sound file; input:N, a channel of the sound input; lsl:NAME, a stream; or bundled speech</source>
      <translation>Eine Tondatei; input:N, ein Kanal des Toneingangs; lsl:NAME, ein Stream; oder mitgelieferte Sprache</translation>
    </message>
    <message>
      <source>File …</source>
      <translation>Datei …</translation>
    </message>
    <message>
      <source>Choose a sound file for talker {number}</source>
      <translation>Eine Tondatei für Sprecher {number} wählen</translation>
    </message>
    <message>
      <source>Direction of talker {number}, degrees to the right</source>
      <translation>Richtung von Sprecher {number}, Grad nach rechts</translation>
    </message>
    <message>
      <source>Sound file of the talker</source>
      <translation>Tondatei des Sprechers</translation>
    </message>
    <message>
      <source>&amp;Add a talker</source>
      <translation>Sprecher &amp;hinzufügen</translation>
    </message>
    <message>
      <source>Remo&amp;ve the last</source>
      <translation>Den letzten &amp;entfernen</translation>
    </message>
    <message>
      <source>Name</source>
      <translation>Name</translation>
    </message>
    <message>
      <source>Source</source>
      <translation>Quelle</translation>
    </message>
    <message>
      <source>To the right</source>
      <translation>Nach rechts</translation>
    </message>
    <message>
      <source>Talker {k} has no name</source>
      <translation>Sprecher {k} hat keinen Namen</translation>
    </message>
    <message>
      <source>Two talkers are called {name}: give each a name of its own</source>
      <translation>Zwei Sprecher heißen {name}: jedem einen eigenen Namen geben</translation>
    </message>
    <message>
      <source>{name} has no source: choose a sound file, a channel of the sound input, or bundled speech</source>
      <translation>{name} hat keine Quelle: eine Tondatei, einen Kanal des Toneingangs oder mitgelieferte Sprache wählen</translation>
    </message>
    <message>
      <source>{name}: replace NAME by the name of the LSL stream of sound</source>
      <translation>{name}: NAME durch den Namen des LSL-Streams mit dem Ton ersetzen</translation>
    </message>
    <message>
      <source>{name}: there is no file {path}</source>
      <translation>{name}: es gibt keine Datei {path}</translation>
    </message>
    <message>
      <source>Talker {number}</source>
      <translation>Sprecher {number}</translation>
    </message>
    <message>
      <source>The participant's screen would cover this window, because it is on the same screen. F11 brings this window back, Esc mutes as always.</source>
      <translation>Der Bildschirm der Versuchsperson würde dieses Fenster verdecken, weil er auf demselben Bildschirm liegt. F11 bringt dieses Fenster zurück, Esc schaltet stumm wie immer.</translation>
    </message>
    <message>
      <source>Earmark participant</source>
      <translation>Earmark für die Versuchsperson</translation>
    </message>
    <message>
      <source>No font of this computer has {n} of the characters that the participant's screen has to show: {named}{more}. Install a font that has them, such as a Noto font, and start the window again.</source>
      <translation>Keine Schrift dieses Rechners hat {n} der Zeichen, die der Bildschirm der Versuchsperson zeigen muss: {named}{more}. Eine Schrift installieren, die sie hat, etwa eine Noto-Schrift, und das Fenster neu starten.</translation>
    </message>
    <message>
      <source>Show it</source>
      <translation>Zeigen</translation>
    </message>
    <message>
      <source>No recorded run yet: calibrate (Ctrl+3), then run (Ctrl+2)</source>
      <translation>Noch kein Durchgang aufgezeichnet: kalibrieren (Strg+3), dann starten (Strg+2)</translation>
    </message>
    <message>
      <source>No session is open: start one, or replay a run, on the start page (Ctrl+0)</source>
      <translation>Es ist keine Sitzung offen: auf der Startseite (Strg+0) eine starten oder einen Durchgang wiedergeben</translation>
    </message>
    <message>
      <source>Score this run: replays it and compares its decisions with its cues</source>
      <translation>Diesen Durchgang auswerten: gibt ihn wieder und vergleicht seine Entscheidungen mit seinen Hinweisen</translation>
    </message>
    <message>
      <source>Runs cannot be scored during checks and recordings: scoring needs a processor core</source>
      <translation>Während Prüfungen und Aufzeichnungen kann kein Durchgang ausgewertet werden: das braucht einen Prozessorkern</translation>
    </message>
    <message>
      <source>The run waits for an answer (page Live, Ctrl+2), then it can be scored</source>
      <translation>Der Durchgang wartet auf eine Antwort (Seite Live, Strg+2), danach kann er ausgewertet werden</translation>
    </message>
    <message>
      <source>not measured</source>
      <translation>nicht gemessen</translation>
    </message>
    <message>
      <source>Accuracy by window, latency and sound</source>
      <translation>Genauigkeit je Fenster, Latenz und Ton</translation>
    </message>
    <message>
      <source>Result of the run</source>
      <translation>Ergebnis des Durchgangs</translation>
    </message>
    <message>
      <source>Writing the report …</source>
      <translation>Der Bericht wird geschrieben …</translation>
    </message>
    <message>
      <source>Opening {path}</source>
      <translation>{path} wird geöffnet</translation>
    </message>
    <message>
      <source>Save figures</source>
      <translation>Zahlen speichern</translation>
    </message>
    <message>
      <source>JSON (*.json)</source>
      <translation>JSON (*.json)</translation>
    </message>
    <message>
      <source>median {median:.1f} s</source>
      <translation>Median {median:.1f} s</translation>
    </message>
    <message>
      <source>none</source>
      <translation>keine</translation>
    </message>
    <message>
      <source>{tmr}, delivered {delivered}</source>
      <translation>{tmr}, erreicht {delivered}</translation>
    </message>
    <message>
      <source>, without trims</source>
      <translation>, ohne Trimmung</translation>
    </message>
    <message>
      <source>Accuracy, re-segmented windows – {windows}</source>
      <translation>Genauigkeit, neu eingeteilte Fenster – {windows}</translation>
    </message>
    <message>
      <source>Latency – {stages}</source>
      <translation>Latenz – {stages}</translation>
    </message>
    <message>
      <source>Sound – {sound}</source>
      <translation>Ton – {sound}</translation>
    </message>
    <message>
      <source>{window:g} s: {accuracy} of {n:.0f} ({limit}; null {null})</source>
      <translation>{window:g} s: {accuracy} von {n:.0f} ({limit}; Nullmodell {null})</translation>
    </message>
    <message>
      <source>&amp;Score this run</source>
      <translation>Durchgang au&amp;swerten</translation>
    </message>
    <message>
      <source>&amp;Report page</source>
      <translation>Be&amp;richt</translation>
    </message>
    <message>
      <source>&amp;Export figures …</source>
      <translation>&amp;Zahlen exportieren …</translation>
    </message>
    <message>
      <source>Open &amp;folder</source>
      <translation>&amp;Ordner öffnen</translation>
    </message>
    <message>
      <source>Replay the run and compare its decisions with its cues</source>
      <translation>Den Durchgang wiedergeben und seine Entscheidungen mit seinen Hinweisen vergleichen</translation>
    </message>
    <message>
      <source>Open report.html of the run; it is created if missing</source>
      <translation>report.html des Durchgangs öffnen; fehlt sie, wird sie erzeugt</translation>
    </message>
    <message>
      <source>Save these figures as JSON</source>
      <translation>Diese Zahlen als JSON speichern</translation>
    </message>
    <message>
      <source>Open the folder of the run</source>
      <translation>Den Ordner des Durchgangs öffnen</translation>
    </message>
    <message>
      <source>Wrote {path}</source>
      <translation>{path} geschrieben</translation>
    </message>
    <message>
      <source>correct windows of {window_s:g} s</source>
      <translation>richtige Fenster von {window_s:g} s</translation>
    </message>
    <message>
      <source>{right} of {windows}; {chance_limit}</source>
      <translation>{right} von {windows}; {chance_limit}</translation>
    </message>
    <message>
      <source>correct decisions</source>
      <translation>richtige Entscheidungen</translation>
    </message>
    <message>
      <source>of the time from 10 s after each cue; TMR {tmr} dB{trims}</source>
      <translation>der Zeit ab 10 s nach jedem Hinweis; TMR {tmr} dB{trims}</translation>
    </message>
    <message>
      <source>switches followed</source>
      <translation>gefolgte Wechsel</translation>
    </message>
    <message>
      <source>{n_followed} of {n}</source>
      <translation>{n_followed} von {n}</translation>
    </message>
    <message>
      <source>calibration</source>
      <translation>Kalibrierung</translation>
    </message>
    <message>
      <source>cross-validated, {n_calibration} decisions; {chance_level}, {calibration_limit}</source>
      <translation>kreuzvalidiert, {n_calibration} Entscheidungen; {chance_level}, {calibration_limit}</translation>
    </message>
    <message>
      <source>decisions dropped</source>
      <translation>verworfene Entscheidungen</translation>
    </message>
    <message>
      <source>of {n}, because they were late</source>
      <translation>von {n}, weil sie zu spät kamen</translation>
    </message>
    <message>
      <source>{name}: median {p50}, p99 {p99}, max {max} ms</source>
      <translation>{name}: Median {p50}, p99 {p99}, max. {max} ms</translation>
    </message>
    <message>
      <source>{path} cannot be written: {strerror}. Choose another folder</source>
      <translation>{path} kann nicht geschrieben werden: {strerror}. Einen anderen Ordner wählen</translation>
    </message>
    <message>
      <source>Replaying …</source>
      <translation>Wird wiedergegeben …</translation>
    </message>
    <message>
      <source>Probability over time</source>
      <translation>Wahrscheinlichkeit über der Zeit</translation>
    </message>
    <message>
      <source>Requested gains over time</source>
      <translation>Verlangte Pegel über der Zeit</translation>
    </message>
    <message>
      <source>gain / dB</source>
      <translation>Pegel / dB</translation>
    </message>
    <message>
      <source>Time in the run, one step for each decision</source>
      <translation>Zeit im Durchgang, ein Schritt je Entscheidung</translation>
    </message>
    <message>
      <source>&amp;Whole run</source>
      <translation>&amp;Ganzer Durchgang</translation>
    </message>
    <message>
      <source>Show the whole run in the plots</source>
      <translation>Den ganzen Durchgang in den Kurven zeigen</translation>
    </message>
    <message>
      <source>Values at the cursor</source>
      <translation>Werte am Zeiger</translation>
    </message>
    <message>
      <source>{time}   cue: {cue}   {each}</source>
      <translation>{time}   Hinweis: {cue}   {each}</translation>
    </message>
    <message>
      <source>Move over a plot or the slider to see the values of an instant</source>
      <translation>Über eine Kurve oder den Regler fahren, um die Werte eines Augenblicks zu sehen</translation>
    </message>
    <message>
      <source>Before the session</source>
      <translation>Vor der Sitzung</translation>
    </message>
    <message>
      <source>Folder of the recordings</source>
      <translation>Ordner der Aufzeichnungen</translation>
    </message>
    <message>
      <source>Result of the checks</source>
      <translation>Ergebnis der Prüfungen</translation>
    </message>
    <message>
      <source>Go to c&amp;alibration</source>
      <translation>Zur K&amp;alibrierung</translation>
    </message>
    <message>
      <source>Go to the &amp;run</source>
      <translation>Zum &amp;Durchgang</translation>
    </message>
    <message>
      <source>Checks</source>
      <translation>Prüfungen</translation>
    </message>
    <message>
      <source>Recordings go to {out}</source>
      <translation>Aufzeichnungen kommen nach {out}</translation>
    </message>
    <message>
      <source>No session yet: start one on the start page (Ctrl+0)</source>
      <translation>Noch keine Sitzung: auf der Startseite eine starten (Strg+0)</translation>
    </message>
    <message>
      <source>A replay: nothing is recorded</source>
      <translation>Eine Wiedergabe: nichts wird aufgezeichnet</translation>
    </message>
    <message>
      <source>Only this stream is shown: nothing is recorded</source>
      <translation>Nur dieser Stream wird gezeigt: nichts wird aufgezeichnet</translation>
    </message>
    <message>
      <source>Check streams, electrodes, sound, disk and decoder (F7)</source>
      <translation>Streams, Elektroden, Ton, Festplatte und Decoder prüfen (F7)</translation>
    </message>
    <message>
      <source>Calibrate: record trials with cues, then train a decoder</source>
      <translation>Kalibrieren: Trials mit Hinweisen aufzeichnen, dann einen Decoder trainieren</translation>
    </message>
    <message>
      <source>Run: close the loop with the decoder of this session</source>
      <translation>Durchgang: den Kreis mit dem Decoder dieser Sitzung schließen</translation>
    </message>
    <message>
      <source>Checking: this takes some seconds</source>
      <translation>Prüfung: das dauert einige Sekunden</translation>
    </message>
    <message>
      <source>ok</source>
      <translation>in Ordnung</translation>
    </message>
    <message>
      <source>Not checked yet</source>
      <translation>Noch nicht geprüft</translation>
    </message>
    <message>
      <source>Next step: calibrate</source>
      <translation>Nächster Schritt: kalibrieren</translation>
    </message>
    <message>
      <source>All checks passed</source>
      <translation>Alle Prüfungen bestanden</translation>
    </message>
    <message>
      <source>to do</source>
      <translation>noch zu tun</translation>
    </message>
    <message>
      <source>FAILED</source>
      <translation>FEHLER</translation>
    </message>
    <message>
      <source>To be fixed: {names}</source>
      <translation>Zu beheben: {names}</translation>
    </message>
    <message>
      <source>No session was opened yet. Make one, or drop a session.toml or a folder onto this window.</source>
      <translation>Es wurde noch keine Sitzung geöffnet. Eine anlegen, oder eine session.toml oder einen Ordner auf diesem Fenster ablegen.</translation>
    </message>
    <message>
      <source>&amp;New session</source>
      <translation>&amp;Neue Sitzung</translation>
    </message>
    <message>
      <source>Participant, amplifier, talkers, sound and protocol, in one form.</source>
      <translation>Versuchsperson, Verstärker, Sprecher, Ton und Protokoll in einem Formular.</translation>
    </message>
    <message>
      <source>&amp;Connect to a stream</source>
      <translation>Mit einem Stream &amp;verbinden</translation>
    </message>
    <message>
      <source>See the signal of an amplifier at once: nothing is recorded. Or open a session.toml.</source>
      <translation>Das Signal eines Verstärkers sofort sehen: nichts wird aufgezeichnet. Oder eine session.toml öffnen.</translation>
    </message>
    <message>
      <source>Re&amp;play a recording</source>
      <translation>Eine Aufzeichnung &amp;wiedergeben</translation>
    </message>
    <message>
      <source>See and hear a recorded run again, then score it.</source>
      <translation>Einen aufgezeichneten Durchgang noch einmal sehen und hören, dann auswerten.</translation>
    </message>
    <message>
      <source>Try the &amp;demo</source>
      <translation>Die &amp;Demo ausprobieren</translation>
    </message>
    <message>
      <source>A simulated listener steers two voices. No hardware; about three minutes.</source>
      <translation>Ein simulierter Hörer steuert zwei Stimmen. Ohne Geräte; etwa drei Minuten.</translation>
    </message>
    <message>
      <source>&amp;Open a recording to look at</source>
      <translation>Eine Aufzeichnung &amp;ansehen</translation>
    </message>
    <message>
      <source>Traces, streams and markers of any XDF, FIF, EDF, BDF or BrainVision file.</source>
      <translation>Spuren, Streams und Marker jeder Datei in XDF, FIF, EDF, BDF oder BrainVision.</translation>
    </message>
    <message>
      <source>Reopen the &amp;last session</source>
      <translation>Die &amp;letzte Sitzung wieder öffnen</translation>
    </message>
    <message>
      <source>Open the last session again; it may still be running.</source>
      <translation>Die letzte Sitzung wieder öffnen; sie läuft vielleicht noch.</translation>
    </message>
    <message>
      <source>Recent sessions</source>
      <translation>Letzte Sitzungen</translation>
    </message>
    <message>
      <source>Real-time brain-steered listening. Research use only. Version {version}.</source>
      <translation>Hören, vom Gehirn in Echtzeit gesteuert. Nur für die Forschung. Version {version}.</translation>
    </message>
    <message>
      <source>Remove the selected session from the list; its files stay</source>
      <translation>Die gewählte Sitzung aus der Liste entfernen; ihre Dateien bleiben</translation>
    </message>
    <message>
      <source>Re&amp;move from the list</source>
      <translation>Aus der Liste ent&amp;fernen</translation>
    </message>
    <message>
      <source>No run was scored yet</source>
      <translation>Noch kein Durchgang ausgewertet</translation>
    </message>
    <message>
      <source>{folder}: Enter opens it, Delete removes it from this list</source>
      <translation>{folder}: Eingabe öffnet, Entf entfernt aus dieser Liste</translation>
    </message>
    <message>
      <source>Not found: removed, renamed, or on another disk</source>
      <translation>Nicht gefunden: entfernt, umbenannt oder auf einem anderen Datenträger</translation>
    </message>
    <message>
      <source>Choose the folder of a study: the folder above the folders of its participants</source>
      <translation>Den Ordner einer Studie wählen: den Ordner über denen ihrer Versuchspersonen</translation>
    </message>
    <message>
      <source>Measure shows this study</source>
      <translation>Messen zeigt diese Studie</translation>
    </message>
    <message>
      <source>A study is not measured during checks and recordings, which need the processor: it goes on after them</source>
      <translation>Während Prüfungen und Aufzeichnungen, die den Prozessor brauchen, wird keine Studie gemessen: danach geht es weiter</translation>
    </message>
    <message>
      <source>Stopped. The runs that were measured are not measured again</source>
      <translation>Gestoppt. Durchgänge, die gemessen sind, werden nicht noch einmal gemessen</translation>
    </message>
    <message>
      <source>Web page (*.html);;Table of runs (*.csv);;All figures (*.json)</source>
      <translation>Webseite (*.html);;Tabelle der Durchgänge (*.csv);;Alle Zahlen (*.json)</translation>
    </message>
    <message>
      <source>Result of the study</source>
      <translation>Ergebnis der Studie</translation>
    </message>
    <message>
      <source>Mode, number of talkers and decision window</source>
      <translation>Modus, Zahl der Sprecher und Entscheidungsfenster</translation>
    </message>
    <message>
      <source>Reason to exclude the selected run</source>
      <translation>Grund, den gewählten Durchgang auszuschließen</translation>
    </message>
    <message>
      <source>Answers, notes and alarms of the selected run</source>
      <translation>Antworten, Notizen und Alarme des gewählten Durchgangs</translation>
    </message>
    <message>
      <source>A point is a participant, in the order of the table; a click selects the runs. Line: mean. Dashes: chance limit. Dots: chance level.</source>
      <translation>Ein Punkt ist eine Versuchsperson, in der Reihenfolge der Tabelle; ein Klick wählt die Durchgänge. Linie: Mittelwert. Striche: Zufallsgrenze. Punkte: Zufallsniveau.</translation>
    </message>
    <message>
      <source>Measuring …</source>
      <translation>Wird gemessen …</translation>
    </message>
    <message>
      <source>&amp;Choose a study …</source>
      <translation>Eine Studie &amp;wählen …</translation>
    </message>
    <message>
      <source>&amp;Measure</source>
      <translation>&amp;Messen</translation>
    </message>
    <message>
      <source>Sa&amp;ve …</source>
      <translation>&amp;Speichern …</translation>
    </message>
    <message>
      <source>Open in &amp;Review</source>
      <translation>In &amp;Auswertung öffnen</translation>
    </message>
    <message>
      <source>Choose the folder of a study</source>
      <translation>Den Ordner einer Studie wählen</translation>
    </message>
    <message>
      <source>Measure the runs that are new or changed, and show the study</source>
      <translation>Die neuen oder geänderten Durchgänge messen und die Studie zeigen</translation>
    </message>
    <message>
      <source>Stop measuring</source>
      <translation>Das Messen stoppen</translation>
    </message>
    <message>
      <source>Save the study as a web page, as a table (CSV), or as JSON</source>
      <translation>Die Studie als Webseite, als Tabelle (CSV) oder als JSON speichern</translation>
    </message>
    <message>
      <source>Show the selected run on the page Review</source>
      <translation>Den gewählten Durchgang auf der Seite Auswertung zeigen</translation>
    </message>
    <message>
      <source>Exclude the selected run, or include it again</source>
      <translation>Den gewählten Durchgang ausschließen oder wieder einschließen</translation>
    </message>
    <message>
      <source>Correct decision windows of each participant</source>
      <translation>Richtige Entscheidungsfenster jeder Versuchsperson</translation>
    </message>
    <message>
      <source>correct / %</source>
      <translation>richtig / %</translation>
    </message>
    <message>
      <source>Target-to-masker ratio of each participant</source>
      <translation>Pegelabstand des beachteten Sprechers (TMR) je Versuchsperson</translation>
    </message>
    <message>
      <source>TMR / dB</source>
      <translation>TMR / dB</translation>
    </message>
    <message>
      <source>Median time to follow a switch of each participant</source>
      <translation>Mittlere Zeit (Median) bis zum Folgen eines Wechsels je Versuchsperson</translation>
    </message>
    <message>
      <source>switch / s</source>
      <translation>Wechsel / s</translation>
    </message>
    <message>
      <source>Folder of a study</source>
      <translation>Ordner einer Studie</translation>
    </message>
    <message>
      <source>Measured {n} of {total} runs</source>
      <translation>{n} von {total} Durchgängen gemessen</translation>
    </message>
    <message>
      <source>No run can be used; the table says why.</source>
      <translation>Kein Durchgang ist verwendbar; die Tabelle sagt, warum.</translation>
    </message>
    <message>
      <source>Select a run to see its answers, notes and alarms</source>
      <translation>Einen Durchgang wählen, um seine Antworten, Notizen und Alarme zu sehen</translation>
    </message>
    <message>
      <source>&amp;Include</source>
      <translation>&amp;Einschließen</translation>
    </message>
    <message>
      <source>E&amp;xclude</source>
      <translation>A&amp;usschließen</translation>
    </message>
    <message>
      <source>The page Review shows the runs of the open session</source>
      <translation>Die Seite Auswertung zeigt die Durchgänge der offenen Sitzung</translation>
    </message>
    <message>
      <source>Show the selected run on the page Review (also by a double click)</source>
      <translation>Den gewählten Durchgang auf der Seite Auswertung zeigen (auch mit Doppelklick)</translation>
    </message>
    <message>
      <source>Save the study</source>
      <translation>Die Studie speichern</translation>
    </message>
    <message>
      <source>{path}: no answer, note or alarm</source>
      <translation>{path}: keine Antwort, keine Notiz, kein Alarm</translation>
    </message>
    <message>
      <source>{path} cannot be written: {strerror}</source>
      <translation>{path} kann nicht geschrieben werden: {strerror}</translation>
    </message>
    <message>
      <source>{name} must end in {others} or {last}</source>
      <translation>{name} muss auf {others} oder {last} enden</translation>
    </message>
    <message>
      <source>Attention</source>
      <translation>Aufmerksamkeit</translation>
    </message>
    <message>
      <source>Probability that each talker is attended, last 60 s</source>
      <translation>Wahrscheinlichkeit je Sprecher, dass er beachtet wird, letzte 60 s</translation>
    </message>
    <message>
      <source>no filter</source>
      <translation>kein Filter</translation>
    </message>
    <message>
      <source>all kinds</source>
      <translation>alle Arten</translation>
    </message>
    <message>
      <source>Kind of events to show</source>
      <translation>Art der gezeigten Ereignisse</translation>
    </message>
    <message>
      <source>Show events that contain this text</source>
      <translation>Ereignisse zeigen, die diesen Text enthalten</translation>
    </message>
    <message>
      <source>Find</source>
      <translation>Suchen</translation>
    </message>
    <message>
      <source>Events</source>
      <translation>Ereignisse</translation>
    </message>
    <message>
      <source>Click an event to see its time in the plots</source>
      <translation>Ein Ereignis anklicken, um seine Zeit in den Kurven zu sehen</translation>
    </message>
    <message>
      <source>time</source>
      <translation>Zeit</translation>
    </message>
    <message>
      <source>event</source>
      <translation>Ereignis</translation>
    </message>
    <message>
      <source>Note (N, Enter saves; 1 to 9: markers)</source>
      <translation>Notiz (N, Eingabe speichert; 1 bis 9: Marker)</translation>
    </message>
    <message>
      <source>Note, saved in the recording</source>
      <translation>Notiz, in der Aufzeichnung gespeichert</translation>
    </message>
    <message>
      <source>&amp;Note</source>
      <translation>&amp;Notiz</translation>
    </message>
    <message>
      <source>Save the note</source>
      <translation>Die Notiz speichern</translation>
    </message>
    <message>
      <source>Evidence</source>
      <translation>Evidenz</translation>
    </message>
    <message>
      <source>Score of each talker, last 60 s</source>
      <translation>Bewertung jedes Sprechers, letzte 60 s</translation>
    </message>
    <message>
      <source>score (r)</source>
      <translation>Wert (r)</translation>
    </message>
    <message>
      <source>Score of {name}</source>
      <translation>Bewertung von {name}</translation>
    </message>
    <message>
      <source>CSV table (*.csv)</source>
      <translation>CSV-Tabelle (*.csv)</translation>
    </message>
    <message>
      <source>PNG picture (*.png)</source>
      <translation>PNG-Bild (*.png)</translation>
    </message>
    <message>
      <source>SVG picture (*.svg)</source>
      <translation>SVG-Bild (*.svg)</translation>
    </message>
    <message>
      <source>Save {name} as CSV, PNG or SVG</source>
      <translation>{name} als CSV, PNG oder SVG speichern</translation>
    </message>
    <message>
      <source>Save {name} as CSV</source>
      <translation>{name} als CSV speichern</translation>
    </message>
    <message>
      <source>Save {name}</source>
      <translation>{name} speichern</translation>
    </message>
    <message>
      <source>Point at an electrode to see what is wrong. Click it to mark it as bad, and again to use it.</source>
      <translation>Auf eine Elektrode zeigen, um zu sehen, was fehlt. Klicken markiert sie als schlecht, noch einmal klicken verwendet sie wieder.</translation>
    </message>
    <message>
      <source>Point at an electrode to see what is wrong.</source>
      <translation>Auf eine Elektrode zeigen, um zu sehen, was fehlt.</translation>
    </message>
    <message>
      <source>No signal: switch on the amplifier and start its LSL stream</source>
      <translation>Kein Signal: den Verstärker einschalten und seinen LSL-Stream starten</translation>
    </message>
    <message>
      <source>A pattern in 'bads' of the session file matches its name: change it there and start again.</source>
      <translation>Ein Muster in „bads“ der Sitzungsdatei passt auf ihren Namen: dort ändern und neu starten.</translation>
    </message>
    <message>
      <source>{value} before the stream began</source>
      <translation>{value}, bevor der Stream begann</translation>
    </message>
    <message>
      <source>{value} {age_s} ago</source>
      <translation>{value} vor {age_s}</translation>
    </message>
    <message>
      <source>Click it again to use it.</source>
      <translation>Noch einmal klicken, um sie wieder zu verwenden.</translation>
    </message>
    <message>
      <source>All electrodes are good, except those that are marked as bad: {marked}</source>
      <translation>Alle Elektroden sind gut, außer den als schlecht markierten: {marked}</translation>
    </message>
    <message>
      <source>{named} and {n} more</source>
      <translation>{named} und {n} weitere</translation>
    </message>
    <message>
      <source>1 of {n} electrodes needs work: {named}</source>
      <translation>1 von {n} Elektroden braucht Arbeit: {named}</translation>
    </message>
    <message>
      <source>{n_bad} of {n} electrodes need work: {named}</source>
      <translation>{n_bad} von {n} Elektroden brauchen Arbeit: {named}</translation>
    </message>
    <message>
      <source>{words}. Marked as bad: {marked}</source>
      <translation>{words}. Als schlecht markiert: {marked}</translation>
    </message>
    <message>
      <source>Fit the cap</source>
      <translation>Kappe anpassen</translation>
    </message>
    <message>
      <source>All {n} electrodes are good</source>
      <translation>Alle {n} Elektroden sind gut</translation>
    </message>
    <message>
      <source>Electrodes on the head</source>
      <translation>Elektroden auf dem Kopf</translation>
    </message>
    <message>
      <source>No electrode needs work</source>
      <translation>Keine Elektrode braucht Arbeit</translation>
    </message>
    <message>
      <source>Electrodes, the worst first</source>
      <translation>Elektroden, die schlechtesten zuerst</translation>
    </message>
    <message>
      <source>Electrodes that need work</source>
      <translation>Elektroden, die Arbeit brauchen</translation>
    </message>
    <message>
      <source>The electrode under the mouse</source>
      <translation>Die Elektrode unter der Maus</translation>
    </message>
    <message>
      <source>Assessing {n} electrodes …</source>
      <translation>{n} Elektroden werden beurteilt …</translation>
    </message>
    <message>
      <source>{impedance}, above {limit_kohm:g} kΩ. Improve the contact.</source>
      <translation>{impedance}, über {limit_kohm:g} kΩ. Den Kontakt verbessern.</translation>
    </message>
    <message>
      <source>good</source>
      <translation>gut</translation>
    </message>
    <message>
      <source>This value stays until the amplifier measures again.</source>
      <translation>Dieser Wert bleibt, bis der Verstärker neu misst.</translation>
    </message>
    <message>
      <source>Preparing the map …</source>
      <translation>Die Karte wird vorbereitet …</translation>
    </message>
    <message>
      <source>No channels yet</source>
      <translation>Noch keine Kanäle</translation>
    </message>
    <message>
      <source>No map: {words}</source>
      <translation>Keine Karte: {words}</translation>
    </message>
    <message>
      <source>p99 over the last minute, up to {maximum} ms</source>
      <translation>p99 der letzten Minute, bis {maximum} ms</translation>
    </message>
    <message>
      <source>Latency</source>
      <translation>Latenz</translation>
    </message>
    <message>
      <source>Latency by stage</source>
      <translation>Latenz je Stufe</translation>
    </message>
    <message>
      <source>max</source>
      <translation>max.</translation>
    </message>
    <message>
      <source>No decision timed yet</source>
      <translation>Noch keine Entscheidung gemessen</translation>
    </message>
    <message>
      <source> (limit {budget} ms)</source>
      <translation> (Grenze {budget} ms)</translation>
    </message>
    <message>
      <source>scores: {scored_by}</source>
      <translation>Bewertung: {scored_by}</translation>
    </message>
    <message>
      <source>… {left} more: enlarge panel</source>
      <translation>… {left} weitere: Feld vergrößern</translation>
    </message>
    <message>
      <source> LATE</source>
      <translation> ZU SPÄT</translation>
    </message>
    <message>
      <source>Accuracy so far, after each trial</source>
      <translation>Genauigkeit bisher, nach jedem Trial</translation>
    </message>
    <message>
      <source>correct (%)</source>
      <translation>richtig (%)</translation>
    </message>
    <message>
      <source>Log</source>
      <translation>Protokoll</translation>
    </message>
    <message>
      <source>Log of this window</source>
      <translation>Protokoll dieses Fensters</translation>
    </message>
    <message>
      <source>Turn {name} down, in addition to steering ({trim}); decoding continues</source>
      <translation>{name} leiser, zusätzlich zur Steuerung ({trim}); die Dekodierung geht weiter</translation>
    </message>
    <message>
      <source>Talker {number}, {name}</source>
      <translation>Sprecher {number}, {name}</translation>
    </message>
    <message>
      <source>Level of {name}</source>
      <translation>Lautstärke von {name}</translation>
    </message>
    <message>
      <source>Level of {name}, dBFS</source>
      <translation>Lautstärke von {name}, dBFS</translation>
    </message>
    <message>
      <source>Gain of {name}</source>
      <translation>Pegel von {name}</translation>
    </message>
    <message>
      <source>Mute {name} only, regardless of decisions</source>
      <translation>Nur {name} stumm, gleich was entschieden wird</translation>
    </message>
    <message>
      <source>Solo: favour {name} regardless of decisions</source>
      <translation>Solo: {name} bevorzugen, gleich was entschieden wird</translation>
    </message>
    <message>
      <source>Effect of a click</source>
      <translation>Wirkung eines Klicks</translation>
    </message>
    <message>
      <source>Output level</source>
      <translation>Ausgangspegel</translation>
    </message>
    <message>
      <source>Gain reduction by the limiter, dB</source>
      <translation>Absenkung durch den Begrenzer, dB</translation>
    </message>
    <message>
      <source>Master gain in dB</source>
      <translation>Gesamtpegel in dB</translation>
    </message>
    <message>
      <source>Master gain</source>
      <translation>Gesamtpegel</translation>
    </message>
    <message>
      <source>Master &amp;gain</source>
      <translation>&amp;Gesamtpegel</translation>
    </message>
    <message>
      <source>gain +00.0 dB</source>
      <translation>Pegel +00.0 dB</translation>
    </message>
    <message>
      <source>gain </source>
      <translation>Pegel </translation>
    </message>
    <message>
      <source>Solo</source>
      <translation>Solo</translation>
    </message>
    <message>
      <source>Mute</source>
      <translation>Stumm</translation>
    </message>
    <message>
      <source>Mute {name} only ({mute}); decoding continues</source>
      <translation>Nur {name} stumm ({mute}); die Dekodierung geht weiter</translation>
    </message>
    <message>
      <source>Favour {name} regardless of decisions ({solo})</source>
      <translation>{name} bevorzugen, gleich was entschieden wird ({solo})</translation>
    </message>
    <message>
      <source>trim </source>
      <translation>Trimm. </translation>
    </message>
    <message>
      <source>cue: </source>
      <translation>Hinweis: </translation>
    </message>
    <message>
      <source>  ◀ cue</source>
      <translation>  ◀ Hinweis</translation>
    </message>
    <message>
      <source>Output level, left</source>
      <translation>Ausgangspegel, links</translation>
    </message>
    <message>
      <source>Output level, right</source>
      <translation>Ausgangspegel, rechts</translation>
    </message>
    <message>
      <source>&amp;Equal</source>
      <translation>&amp;Gleich</translation>
    </message>
    <message>
      <source>&amp;Decode</source>
      <translation>Ent&amp;scheid</translation>
    </message>
    <message>
      <source>Equal gains for all talkers, regardless of decisions (F5)</source>
      <translation>Gleiche Pegel für alle Sprecher, gleich was entschieden wird (F5)</translation>
    </message>
    <message>
      <source>Let gains follow decisions again (F6)</source>
      <translation>Die Pegel folgen wieder den Entscheidungen (F6)</translation>
    </message>
    <message>
      <source>Click a talker: the listener follows</source>
      <translation>Sprecher anklicken: der Hörer folgt</translation>
    </message>
    <message>
      <source>Output: {playing}</source>
      <translation>Ausgabe: {playing}</translation>
    </message>
    <message>
      <source>No sound</source>
      <translation>Kein Ton</translation>
    </message>
    <message>
      <source>Muted</source>
      <translation>Ist stumm</translation>
    </message>
    <message>
      <source>Quality</source>
      <translation>Qualität</translation>
    </message>
    <message>
      <source>Channels</source>
      <translation>Kanäle</translation>
    </message>
    <message>
      <source>{n_good} of {n} good</source>
      <translation>{n_good} von {n} gut</translation>
    </message>
    <message>
      <source>Traces of the recording</source>
      <translation>Spuren der Aufzeichnung</translation>
    </message>
    <message>
      <source>participant</source>
      <translation>Person</translation>
    </message>
    <message>
      <source>Listener, named by the recording or its folder</source>
      <translation>Hörer, nach der Aufzeichnung oder ihrem Ordner benannt</translation>
    </message>
    <message>
      <source>session</source>
      <translation>Sitzung</translation>
    </message>
    <message>
      <source>Folder of the session, from the folder of the study</source>
      <translation>Ordner der Sitzung, vom Ordner der Studie aus</translation>
    </message>
    <message>
      <source>run</source>
      <translation>Durchgang</translation>
    </message>
    <message>
      <source>Name of the run</source>
      <translation>Name des Durchgangs</translation>
    </message>
    <message>
      <source>status</source>
      <translation>Status</translation>
    </message>
    <message>
      <source>used; cut: counts as far as it goes; excluded or unusable: does not count</source>
      <translation>verwendet; abgebrochen: zählt, soweit er reicht; ausgeschlossen oder unbrauchbar: zählt nicht</translation>
    </message>
    <message>
      <source>correct</source>
      <translation>richtig</translation>
    </message>
    <message>
      <source>Decision windows in which the cued talker had the highest score</source>
      <translation>Entscheidungsfenster, in denen der genannte Sprecher den höchsten Wert hatte</translation>
    </message>
    <message>
      <source>Number of decision windows</source>
      <translation>Zahl der Entscheidungsfenster</translation>
    </message>
    <message>
      <source>limit</source>
      <translation>Grenze</translation>
    </message>
    <message>
      <source>Share that guessing reaches one time in twenty (p = 0.05)</source>
      <translation>Anteil, den Raten einmal in zwanzig Fällen erreicht (p = 0,05)</translation>
    </message>
    <message>
      <source>TMR</source>
      <translation>TMR</translation>
    </message>
    <message>
      <source>Gain of the cued talker above the loudest other one, dB</source>
      <translation>Pegel des genannten Sprechers über dem lautesten anderen, dB</translation>
    </message>
    <message>
      <source>delivered</source>
      <translation>erreicht</translation>
    </message>
    <message>
      <source>Of mixtures: change of the level of the cued talker against the others at the ears, dB</source>
      <translation>Bei Gemischen: Änderung des Pegels des Sprechers nach Hinweis gegenüber den anderen an den Ohren, dB</translation>
    </message>
    <message>
      <source>switch</source>
      <translation>Wechsel</translation>
    </message>
    <message>
      <source>Median time to follow a switch, s</source>
      <translation>Zeit bis zum Folgen eines Wechsels, Median, s</translation>
    </message>
    <message>
      <source>99th percentile of the latency from arrival to gains set, ms</source>
      <translation>99. Perzentil der Latenz vom Eintreffen bis zum Stellen der Pegel, ms</translation>
    </message>
    <message>
      <source>bad</source>
      <translation>schlecht</translation>
    </message>
    <message>
      <source>Number of electrodes that were masked for part of the time</source>
      <translation>Zahl der Elektroden, die zeitweise ausgeblendet waren</translation>
    </message>
    <message>
      <source>cal.</source>
      <translation>Kal.</translation>
    </message>
    <message>
      <source>Cross-validated accuracy of the decoder, from the calibration</source>
      <translation>Kreuzvalidierte Genauigkeit des Decoders, aus der Kalibrierung</translation>
    </message>
    <message>
      <source>answers</source>
      <translation>Antworten</translation>
    </message>
    <message>
      <source>Number of answers of the participant</source>
      <translation>Zahl der Antworten der Versuchsperson</translation>
    </message>
    <message>
      <source>notes</source>
      <translation>Notizen</translation>
    </message>
    <message>
      <source>Number of notes of the operator</source>
      <translation>Zahl der Notizen der Versuchsleitung</translation>
    </message>
    <message>
      <source>alarms</source>
      <translation>Alarme</translation>
    </message>
    <message>
      <source>Number of alarms</source>
      <translation>Zahl der Alarme</translation>
    </message>
    <message>
      <source>Runs of the study</source>
      <translation>Durchgänge der Studie</translation>
    </message>
    <message>
      <source>{name}: masked for {share}</source>
      <translation>{name}: ausgeblendet für {share}</translation>
    </message>
    <message>
      <source>delay {ms:.0f} ms</source>
      <translation>Verzögerung {ms:.0f} ms</translation>
    </message>
    <message>
      <source>{name} {found} of {asked:.0f} dB asked; {delay}</source>
      <translation>{name} {found} von {asked:.0f} dB verlangt; {delay}</translation>
    </message>
    <message>
      <source>{degrees:.0f}° to the left</source>
      <translation>{degrees:.0f}° links</translation>
    </message>
    <message>
      <source>{name} {found} dB; {delay}</source>
      <translation>{name} {found} dB; {delay}</translation>
    </message>
    <message>
      <source>not found yet</source>
      <translation>noch nicht gefunden</translation>
    </message>
    <message>
      <source>straight ahead</source>
      <translation>geradeaus</translation>
    </message>
    <message>
      <source>{degrees:.0f}° to the right</source>
      <translation>{degrees:.0f}° rechts</translation>
    </message>
    <message>
      <source>Scene</source>
      <translation>Szene</translation>
    </message>
    <message>
      <source>Talkers around the head, from above</source>
      <translation>Sprecher um den Kopf, von oben</translation>
    </message>
    <message>
      <source>{name}, {where}</source>
      <translation>{name}, {where}</translation>
    </message>
    <message>
      <source>Level of a talker against the others, and delay from the microphones to the ears</source>
      <translation>Pegel eines Sprechers gegenüber den anderen, und Verzögerung von den Mikrofonen zu den Ohren</translation>
    </message>
    <message>
      <source>Nobody was found yet</source>
      <translation>Noch niemand gefunden</translation>
    </message>
    <message>
      <source>No talkers</source>
      <translation>Keine Sprecher</translation>
    </message>
    <message>
      <source>a click favours or releases</source>
      <translation>ein Klick bevorzugt oder gibt frei</translation>
    </message>
    <message>
      <source>drag, or ← and →, to where the talker is; ↑ and ↓ choose</source>
      <translation>ziehen, oder ← und →, dorthin, wo der Sprecher ist; ↑ und ↓ wählen aus</translation>
    </message>
    <message>
      <source>median only</source>
      <translation>nur Median</translation>
    </message>
    <message>
      <source>Spectrum</source>
      <translation>Spektrum</translation>
    </message>
    <message>
      <source>Power spectrum</source>
      <translation>Leistungsspektrum</translation>
    </message>
    <message>
      <source>Channel of the spectrum</source>
      <translation>Kanal des Spektrums</translation>
    </message>
    <message>
      <source>&amp;Channel</source>
      <translation>&amp;Kanal</translation>
    </message>
    <message>
      <source>nominal Hz</source>
      <translation>Hz nominell</translation>
    </message>
    <message>
      <source>measured Hz</source>
      <translation>Hz gemessen</translation>
    </message>
    <message>
      <source>age</source>
      <translation>Alter</translation>
    </message>
    <message>
      <source>gaps</source>
      <translation>Lücken</translation>
    </message>
    <message>
      <source>missing</source>
      <translation>fehlend</translation>
    </message>
    <message>
      <source>skipped</source>
      <translation>ausgelassen</translation>
    </message>
    <message>
      <source>Streams</source>
      <translation>Streams</translation>
    </message>
    <message>
      <source>LSL streams of this session</source>
      <translation>LSL-Streams dieser Sitzung</translation>
    </message>
    <message>
      <source>&amp;Find streams …</source>
      <translation>Streams &amp;suchen …</translation>
    </message>
    <message>
      <source>Find LSL streams on the network</source>
      <translation>LSL-Streams im Netzwerk suchen</translation>
    </message>
    <message>
      <source>not delivering: {names}</source>
      <translation>liefern nicht: {names}</translation>
    </message>
    <message>
      <source>all deliver data</source>
      <translation>alle liefern Daten</translation>
    </message>
    <message>
      <source>No stream yet</source>
      <translation>Noch kein Stream</translation>
    </message>
    <message>
      <source>NO DATA from the engine</source>
      <translation>KEINE DATEN vom Rechenprozess</translation>
    </message>
    <message>
      <source>No stream is read now</source>
      <translation>Jetzt wird kein Stream gelesen</translation>
    </message>
    <message>
      <source>FROZEN – Space resumes, ← and → scroll</source>
      <translation>ANGEHALTEN – Leertaste fährt fort, ← und → blättern</translation>
    </message>
    <message>
      <source>EEG traces</source>
      <translation>EEG-Spuren</translation>
    </message>
    <message>
      <source>{n} channels at {sfreq:g} Hz, swept from left to right</source>
      <translation>{n} Kanäle mit {sfreq:g} Hz, von links nach rechts geschrieben</translation>
    </message>
    <message>
      <source>{name}  no sample</source>
      <translation>{name}  keine Daten</translation>
    </message>
    <message>
      <source>Topomap</source>
      <translation>Kopfkarte</translation>
    </message>
    <message>
      <source>What the topomap shows</source>
      <translation>Was die Kopfkarte zeigt</translation>
    </message>
    <message>
      <source>RMS of the last second, dB re median</source>
      <translation>Effektivwert der letzten Sekunde, dB zum Median</translation>
    </message>
    <message>
      <source>No data</source>
      <translation>Keine Daten</translation>
    </message>
    <message>
      <source>Not recorded. {why}</source>
      <translation>Keine Aufzeichnung. {why}</translation>
    </message>
    <message>
      <source>The session has ended: see its runs (Ctrl+4), or start another on the start page (Ctrl+0)</source>
      <translation>Die Sitzung ist beendet: ihre Durchgänge ansehen (Strg+4) oder auf der Startseite eine andere starten (Strg+0)</translation>
    </message>
    <message>
      <source>Waiting for calibration (Ctrl+3). F7 checks streams, electrodes and sound</source>
      <translation>Wartet auf die Kalibrierung (Strg+3). F7 prüft Streams, Elektroden und Ton</translation>
    </message>
    <message>
      <source>Not recorded: make a session of this stream to calibrate and run</source>
      <translation>Keine Aufzeichnung: aus diesem Stream eine Sitzung machen, um zu kalibrieren und zu starten</translation>
    </message>
    <message>
      <source>Paused</source>
      <translation>Angehalten</translation>
    </message>
    <message>
      <source>No signal yet: switch on the amplifier and start its LSL stream</source>
      <translation>Noch kein Signal: den Verstärker einschalten und seinen LSL-Stream starten</translation>
    </message>
    <message>
      <source>FAILED: {failure}</source>
      <translation>FEHLER: {failure}</translation>
    </message>
    <message>
      <source>Waiting for the run (Ctrl+R)</source>
      <translation>Wartet auf den Durchgang (Strg+R)</translation>
    </message>
    <message>
      <source>Sweep length in seconds</source>
      <translation>Länge des Durchlaufs in Sekunden</translation>
    </message>
    <message>
      <source>Scale: half the height of a trace</source>
      <translation>Maßstab: halbe Höhe einer Spur</translation>
    </message>
    <message>
      <source>Type of the channels whose scale is chosen</source>
      <translation>Typ der Kanäle, deren Maßstab gewählt wird</translation>
    </message>
    <message>
      <source>Display filter</source>
      <translation>Anzeigefilter</translation>
    </message>
    <message>
      <source>Channels per page</source>
      <translation>Kanäle pro Seite</translation>
    </message>
    <message>
      <source>Freeze</source>
      <translation>Halt</translation>
    </message>
    <message>
      <source>Freeze the traces</source>
      <translation>Die Spuren anhalten</translation>
    </message>
    <message>
      <source>Freeze the traces, to scroll back (← →); everything else continues (F8, or Space)</source>
      <translation>Die Spuren anhalten, um zurückzublättern (← →); alles andere geht weiter (F8 oder Leertaste)</translation>
    </message>
    <message>
      <source>✕ bad</source>
      <translation>✕ schlecht</translation>
    </message>
    <message>
      <source>Mark the chosen channel as bad, or as good again</source>
      <translation>Den gewählten Kanal als schlecht markieren, oder wieder als gut</translation>
    </message>
    <message>
      <source>Use of the filter</source>
      <translation>Zweck des Filters</translation>
    </message>
    <message>
      <source>display filter only</source>
      <translation>nur Anzeige</translation>
    </message>
    <message>
      <source>Samples that this window was too late to draw; recording and decoder received them</source>
      <translation>Messwerte, die dieses Fenster nicht rechtzeitig zeichnen konnte; Aufzeichnung und Decoder haben sie erhalten</translation>
    </message>
    <message>
      <source>000,000 not drawn</source>
      <translation>000,000 entfallen</translation>
    </message>
    <message>
      <source>✓ good</source>
      <translation>✓ gut</translation>
    </message>
    <message>
      <source>Mark {chosen} as {words}, from the next check on</source>
      <translation>{chosen} als {words} markieren, ab der nächsten Prüfung</translation>
    </message>
    <message>
      <source>Click a channel first</source>
      <translation>Zuerst einen Kanal anklicken</translation>
    </message>
    <message>
      <source>NO DATA: the session does not respond</source>
      <translation>KEINE DATEN: die Sitzung antwortet nicht</translation>
    </message>
    <message>
      <source>No session is open: start one on the start page (Ctrl+0)</source>
      <translation>Es ist keine Sitzung offen: auf der Startseite eine starten (Strg+0)</translation>
    </message>
    <message>
      <source>NO DATA for {quiet}</source>
      <translation>KEINE DATEN seit {quiet}</translation>
    </message>
    <message>
      <source>Calibration finished: train the decoder (Ctrl+3)</source>
      <translation>Kalibrierung beendet: den Decoder trainieren (Strg+3)</translation>
    </message>
    <message>
      <source>Waiting for the run</source>
      <translation>Wartet auf den Durchgang</translation>
    </message>
    <message>
      <source>Waiting for calibration</source>
      <translation>Wartet auf die Kalibrierung</translation>
    </message>
    <message>
      <source>{n} ch</source>
      <translation>{n} K</translation>
    </message>
    <message>
      <source>all ch</source>
      <translation>alle K</translation>
    </message>
    <message>
      <source>Previous channels</source>
      <translation>Vorige Kanäle</translation>
    </message>
    <message>
      <source>Next channels</source>
      <translation>Nächste Kanäle</translation>
    </message>
    <message>
      <source>Bad channels can be changed while nothing is recorded</source>
      <translation>Schlechte Kanäle können geändert werden, solange nichts aufgezeichnet wird</translation>
    </message>
    <message>
      <source>Starting</source>
      <translation>Beginnt</translation>
    </message>
    <message>
      <source>{words}. The traces are old</source>
      <translation>{words}. Die Spuren sind alt</translation>
    </message>
    <message>
      <source>Replay finished</source>
      <translation>Wiedergabe beendet</translation>
    </message>
    <message>
      <source>Run finished: see its result (Ctrl+4)</source>
      <translation>Durchgang beendet: sein Ergebnis ansehen (Strg+4)</translation>
    </message>
    <message>
      <source>{lost:,} not drawn</source>
      <translation>{lost:,} entfallen</translation>
    </message>
    <message>
      <source>Trim of {name} in dB, in addition to steering</source>
      <translation>Trimmung von {name} in dB, zusätzlich zur Steuerung</translation>
    </message>
    <message>
      <source>name this decoder as 'decoder' in [attention] of a session file, then run</source>
      <translation>diesen Decoder als „decoder“ in [attention] einer Sitzungsdatei nennen, dann starten</translation>
    </message>
    <message>
      <source>fit the electrodes: {n_bad} of {n} are bad ({names})</source>
      <translation>die Elektroden anpassen: {n_bad} von {n} sind schlecht ({names})</translation>
    </message>
    <message>
      <source>the stream {name} is {status}: check the amplifier and its LSL stream</source>
      <translation>der Stream {name} ist {status}: den Verstärker und seinen LSL-Stream prüfen</translation>
    </message>
    <message>
      <source>Next: {step}</source>
      <translation>Weiter: {step}</translation>
    </message>
    <message>
      <source>To fix: {step}</source>
      <translation>Beheben: {step}</translation>
    </message>
    <message>
      <source>Now: {step}</source>
      <translation>Jetzt: {step}</translation>
    </message>
    <message>
      <source>make a new session</source>
      <translation>eine neue Sitzung anlegen</translation>
    </message>
    <message>
      <source>answer the question</source>
      <translation>die Frage beantworten</translation>
    </message>
    <message>
      <source>train the decoder</source>
      <translation>den Decoder trainieren</translation>
    </message>
    <message>
      <source>the next trial waits: {why}</source>
      <translation>der nächste Trial wartet: {why}</translation>
    </message>
    <message>
      <source>finish after this trial: more would hardly help</source>
      <translation>nach diesem Trial beenden: mehr würden kaum helfen</translation>
    </message>
    <message>
      <source>no signal yet: switch the amplifier on, and start its LSL stream</source>
      <translation>noch kein Signal: den Verstärker einschalten und seinen LSL-Stream starten</translation>
    </message>
    <message>
      <source>run ({length})</source>
      <translation>Durchgang starten ({length})</translation>
    </message>
    <message>
      <source>run again ({length})</source>
      <translation>noch einen Durchgang starten ({length})</translation>
    </message>
    <message>
      <source>calibrate ({n} trials, {length})</source>
      <translation>kalibrieren ({n} Trials, {length})</translation>
    </message>
    <message>
      <source>check everything</source>
      <translation>alles prüfen</translation>
    </message>
    <message>
      <source>look at the result of the last run</source>
      <translation>das Ergebnis des letzten Durchgangs ansehen</translation>
    </message>
    <message>
      <source>switch the amplifier on and start the session {name}</source>
      <translation>den Verstärker einschalten und die Sitzung {name} starten</translation>
    </message>
    <message>
      <source>make a session of this stream</source>
      <translation>aus diesem Stream eine Sitzung machen</translation>
    </message>
    <message>
      <source>resume the replay</source>
      <translation>die Wiedergabe fortsetzen</translation>
    </message>
    <message>
      <source>resume the run</source>
      <translation>den Durchgang fortsetzen</translation>
    </message>
    <message>
      <source>the replay goes on</source>
      <translation>die Wiedergabe läuft</translation>
    </message>
    <message>
      <source>the demonstration goes on by itself</source>
      <translation>die Demonstration läuft von selbst</translation>
    </message>
    <message>
      <source>checking everything, which takes some seconds</source>
      <translation>alles wird geprüft, das dauert einige Sekunden</translation>
    </message>
    <message>
      <source>training the decoder, which takes from seconds to a minute</source>
      <translation>der Decoder wird trainiert, das dauert von Sekunden bis zu einer Minute</translation>
    </message>
    <message>
      <source>discard the decoder, which is no better than guessing, and calibrate again</source>
      <translation>den Decoder verwerfen, der nicht besser als Raten ist, und neu kalibrieren</translation>
    </message>
    <message>
      <source>run again</source>
      <translation>noch einen Durchgang starten</translation>
    </message>
    <message>
      <source>calibrate</source>
      <translation>kalibrieren</translation>
    </message>
    <message>
      <source>chance level {level}</source>
      <translation>Zufallsniveau {level}</translation>
    </message>
    <message>
      <source>chance limit {limit} (p = 0.05)</source>
      <translation>Zufallsgrenze {limit} (p = 0,05)</translation>
    </message>
    <message>
      <source>Check electrodes and sound, then calibrate again with more trials.</source>
      <translation>Elektroden und Ton prüfen, dann mit mehr Trials neu kalibrieren.</translation>
    </message>
    <message>
      <source>{share} of {n} decisions were correct, cross-validated ({level}, {limit})</source>
      <translation>{share} von {n} Entscheidungen waren richtig, kreuzvalidiert ({level}, {limit})</translation>
    </message>
    <message>
      <source>The decoder is better than guessing: {found}.</source>
      <translation>Der Decoder ist besser als Raten: {found}.</translation>
    </message>
    <message>
      <source>After {n_trials} trials: {share} of {n} decisions are correct ({limit})</source>
      <translation>Nach {n_trials} Trials: {share} von {n} Entscheidungen sind richtig ({limit})</translation>
    </message>
    <message>
      <source>{words}. More trials would hardly help: the last doubling added {gain:.1f} points, at most {gain_limit:.1f}</source>
      <translation>{words}. Mehr Trials würden kaum helfen: die letzte Verdopplung brachte {gain:.1f} Punkte, höchstens {gain_limit:.1f}</translation>
    </message>
    <message>
      <source>The decoder's accuracy was not measured.</source>
      <translation>Die Genauigkeit des Decoders wurde nicht gemessen.</translation>
    </message>
    <message>
      <source>The decoder is no better than guessing: {found}. {again}</source>
      <translation>Der Decoder ist nicht besser als Raten: {found}. {again}</translation>
    </message>
    <message>
      <source>No decision window lies within cued time, so the decisions cannot be scored.</source>
      <translation>Kein Entscheidungsfenster liegt in der Zeit eines Hinweises, daher können die Entscheidungen nicht bewertet werden.</translation>
    </message>
    <message>
      <source>{share} of 1 decision window was correct: too few to compare with guessing.</source>
      <translation>{share} von 1 Entscheidungsfenster war richtig: zu wenig für einen Vergleich mit Raten.</translation>
    </message>
    <message>
      <source>The cued talker had the highest score in {share} of windows, but was decided for only {steady} of the time. Decisions follow the probability, which uses the score distribution from the calibration: if the calibration does not fit this listener, even good scores decide nothing.</source>
      <translation>Der genannte Sprecher hatte in {share} der Fenster den höchsten Wert, aber nur in {steady} der Zeit wurde für ihn entschieden. Entscheidungen folgen der Wahrscheinlichkeit, und diese verwendet die Verteilung der Werte aus der Kalibrierung: passt die Kalibrierung nicht zu diesem Hörer, entscheiden auch gute Werte nichts.</translation>
    </message>
    <message>
      <source>{share} of {n} decision windows were correct: too few to compare with guessing.</source>
      <translation>{share} von {n} Entscheidungsfenstern waren richtig: zu wenige für einen Vergleich mit Raten.</translation>
    </message>
    <message>
      <source>{share} of {n} decision windows were correct; {limit}: no better than guessing.</source>
      <translation>{share} von {n} Entscheidungsfenstern waren richtig; {limit}: nicht besser als Raten.</translation>
    </message>
    <message>
      <source>{share} of {n} decision windows were correct; {limit}: better than guessing.</source>
      <translation>{share} von {n} Entscheidungsfenstern waren richtig; {limit}: besser als Raten.</translation>
    </message>
  </context>
</TS>
