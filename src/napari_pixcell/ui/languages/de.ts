<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
 <context>
  <name>napari-pixcell</name>
  <message>
   <source> The features “{0}” were not opened, because the file was moved or changed. Open it again by “Open features…” in the ⋯ menu.</source>
   <translation> Die Merkmale „{0}“ wurden nicht geöffnet, weil die Datei verschoben oder geändert wurde. Öffnen Sie sie wieder mit „Merkmale öffnen…“ im Menü ⋯.</translation>
  </message>
  <message>
   <source> before the region was moved</source>
   <translation> bevor die Region verschoben wurde</translation>
  </message>
  <message>
   <source> by Cellpose</source>
   <translation> mit Cellpose</translation>
  </message>
  <message>
   <source> in an area</source>
   <translation> in einem Bereich</translation>
  </message>
  <message>
   <source> in the marked area</source>
   <translation> im markierten Bereich</translation>
  </message>
  <message>
   <source> minutes without a request</source>
   <translation> Minuten ohne Auftrag</translation>
  </message>
  <message>
   <source> of {0}</source>
   <translation> von {0}</translation>
  </message>
  <message>
   <source> of {0} px</source>
   <translation> von {0} px</translation>
  </message>
  <message>
   <source> per mm²</source>
   <translation> je mm²</translation>
  </message>
  <message>
   <source> {0} left out, because the weights that embedded the styles were replaced. Generate the regions again.</source>
   <translation> {0} ausgelassen, weil die Gewichte ersetzt wurden, die die Stile eingebettet haben. Erzeugen Sie die Regionen erneut.</translation>
  </message>
  <message>
   <source> {0} more are damaged too.</source>
   <translation> {0} weitere sind ebenfalls beschädigt.</translation>
  </message>
  <message>
   <source> {0} more {1} there already.</source>
   <translation> {0} weitere {1} schon da.</translation>
  </message>
  <message>
   <source> {0} of them gave way to cells that stay.</source>
   <translation> {0} davon sind Zellen gewichen, die bleiben.</translation>
  </message>
  <message>
   <source> {0} of {1}</source>
   <translation> {0} von {1}</translation>
  </message>
  <message>
   <source> {0} variants</source>
   <translation> {0} Varianten</translation>
  </message>
  <message>
   <source> · tissue</source>
   <translation> · Gewebe</translation>
  </message>
  <message>
   <source>, cached</source>
   <translation>, gespeichert</translation>
  </message>
  <message>
   <source>, last {0}</source>
   <translation>, zuletzt {0}</translation>
  </message>
  <message>
   <source>, some move.</source>
   <translation>, einige verschieben sich.</translation>
  </message>
  <message>
   <source>, the first {0}</source>
   <translation>, die ersten {0}</translation>
  </message>
  <message>
   <source>, then </source>
   <translation>, danach </translation>
  </message>
  <message>
   <source>, varied</source>
   <translation>, variiert</translation>
  </message>
  <message>
   <source>, {0} left</source>
   <translation>, noch {0}</translation>
  </message>
  <message>
   <source>, {0} of them flagged and kept apart</source>
   <translation>, {0} davon auffällig und gesondert</translation>
  </message>
  <message>
   <source>0 gives equal sizes, higher values more varied ones</source>
   <translation>0 gibt gleiche Größen, höhere Werte verschiedenere</translation>
  </message>
  <message>
   <source>0 is evenly spaced, 0.5 random, 1 clustered</source>
   <translation>0 ist gleichmäßig verteilt, 0,5 zufällig, 1 gehäuft</translation>
  </message>
  <message>
   <source>0 is random orientation, 1 full alignment</source>
   <translation>0 ist zufällige, 1 völlig gleiche Ausrichtung</translation>
  </message>
  <message>
   <source>0 keeps the image unchanged, 1 replaces it completely</source>
   <translation>0 lässt das Bild unverändert, 1 ersetzt es ganz</translation>
  </message>
  <message>
   <source>0 keeps the tissue unchanged, 1 replaces it completely</source>
   <translation>0 lässt das Gewebe unverändert, 1 ersetzt es ganz</translation>
  </message>
  <message>
   <source>1  Pick a region</source>
   <translation>1  Region wählen</translation>
  </message>
  <message>
   <source>1  Region</source>
   <translation>1  Region</translation>
  </message>
  <message>
   <source>1 gives round cells, higher values longer ones</source>
   <translation>1 gibt runde Zellen, höhere Werte längere</translation>
  </message>
  <message>
   <source>1 picture</source>
   <translation>1 Bild</translation>
  </message>
  <message>
   <source>2  Mark the cells</source>
   <translation>2  Zellen markieren</translation>
  </message>
  <message>
   <source>2  Style</source>
   <translation>2  Stil</translation>
  </message>
  <message>
   <source>3  Get variants</source>
   <translation>3  Varianten erhalten</translation>
  </message>
  <message>
   <source>3  Layout</source>
   <translation>3  Layout</translation>
  </message>
  <message>
   <source>4  Settings</source>
   <translation>4  Einstellungen</translation>
  </message>
  <message>
   <source>: its files are not in “{0}”</source>
   <translation>: seine Dateien sind nicht in „{0}“</translation>
  </message>
  <message>
   <source>; {0} {1} dropped: {2}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>? µm/px ✎</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>A check is under way</source>
   <translation>Eine Prüfung läuft</translation>
  </message>
  <message>
   <source>A cluster file (cluster.toml), or the address of a Dask scheduler</source>
   <translation>Eine Cluster-Datei (cluster.toml), oder die Adresse eines Dask-Schedulers</translation>
  </message>
  <message>
   <source>A dataset is being opened</source>
   <translation>Ein Datensatz wird geöffnet</translation>
  </message>
  <message>
   <source>A file cannot be read or written: {0}. Check the disk and try again.</source>
   <translation>Eine Datei kann nicht gelesen oder geschrieben werden: {0}. Prüfen Sie den Datenträger und versuchen Sie es erneut.</translation>
  </message>
  <message>
   <source>A file is being imported</source>
   <translation>Eine Datei wird importiert</translation>
  </message>
  <message>
   <source>A process</source>
   <translation>Ein Prozess</translation>
  </message>
  <message>
   <source>A search is under way</source>
   <translation>Eine Suche läuft</translation>
  </message>
  <message>
   <source>A series needs two styles. Choose a second one with “Blend with…”.</source>
   <translation>Eine Reihe braucht zwei Stile. Wählen Sie einen zweiten mit „Mischen mit…“.</translation>
  </message>
  <message>
   <source>A series of {0} is too short. Choose 2 or more.</source>
   <translation>Eine Reihe von {0} ist zu kurz. Wählen Sie 2 oder mehr.</translation>
  </message>
  <message>
   <source>A style of {0} was removed. It now imitates {1}.</source>
   <translation>Ein Stil von {0} wurde entfernt. Nachgeahmt wird jetzt {1}.</translation>
  </message>
  <message>
   <source>A third of the time, for drafts. Details differ.</source>
   <translation>Ein Drittel der Zeit, für Entwürfe. Einzelheiten weichen ab.</translation>
  </message>
  <message>
   <source>A virtual stain has colours of its own</source>
   <translation>Eine virtuelle Färbung hat eigene Farben</translation>
  </message>
  <message>
   <source>About PixCell studio</source>
   <translation>Über PixCell studio</translation>
  </message>
  <message>
   <source>Accept or reject the pairs</source>
   <translation>Die Paare annehmen oder ablehnen</translation>
  </message>
  <message>
   <source>Accept pair (this and the next six: in the thumbnails of “Review pairs”)</source>
   <translation>Paar annehmen (diese und die nächsten sechs: in den Vorschaubildern von „Paare durchsehen“)</translation>
  </message>
  <message>
   <source>Accept the licence and start the download</source>
   <translation>Lizenz annehmen und den Download beginnen</translation>
  </message>
  <message>
   <source>Accepted</source>
   <translation>Angenommen</translation>
  </message>
  <message>
   <source>Access</source>
   <translation>Zugang</translation>
  </message>
  <message>
   <source>Add a region first</source>
   <translation>Fügen Sie zuerst eine Region hinzu</translation>
  </message>
  <message>
   <source>Add a region first.</source>
   <translation>Fügen Sie zuerst eine Region hinzu.</translation>
  </message>
  <message>
   <source>Add a region first: its tissue is measured</source>
   <translation>Fügen Sie zuerst eine Region hinzu: ihr Gewebe wird gemessen</translation>
  </message>
  <message>
   <source>Add a region first: the search compares with its tissue</source>
   <translation>Fügen Sie zuerst eine Region hinzu: die Suche vergleicht mit ihrem Gewebe</translation>
  </message>
  <message>
   <source>Add a region here</source>
   <translation>Region hier hinzufügen</translation>
  </message>
  <message>
   <source>Add a region of one tile at the centre of the view (R)</source>
   <translation>Eine Region von einer Kachel in der Mitte der Ansicht hinzufügen (R)</translation>
  </message>
  <message>
   <source>Add a region of one tile at the centre of the view (R). Move and resize it in the “Regions” layer.</source>
   <translation>Eine Region von einer Kachel in der Mitte der Ansicht hinzufügen (R). Verschieben und vergrößern Sie sie in der Ebene „Regionen“.</translation>
  </message>
  <message>
   <source>Add a style to the blend</source>
   <translation>Der Mischung einen Stil hinzufügen</translation>
  </message>
  <message>
   <source>Add new nuclei only where there are none</source>
   <translation>Neue Kerne nur dort hinzufügen, wo keine sind</translation>
  </message>
  <message>
   <source>Add region</source>
   <translation>Region hinzufügen</translation>
  </message>
  <message>
   <source>Add region at the centre of the view</source>
   <translation>Region in der Mitte der Ansicht hinzufügen</translation>
  </message>
  <message>
   <source>Add region here</source>
   <translation>Region hier hinzufügen</translation>
  </message>
  <message>
   <source>Add region there</source>
   <translation>Region dort hinzufügen</translation>
  </message>
  <message>
   <source>Add style</source>
   <translation>Stil hinzufügen</translation>
  </message>
  <message>
   <source>Add style from image…</source>
   <translation>Stil aus Bild hinzufügen…</translation>
  </message>
  <message>
   <source>Add styles from an image or a file of features; rename or remove styles</source>
   <translation>Stile aus einem Bild oder einer Datei mit Merkmalen hinzufügen; Stile umbenennen oder entfernen</translation>
  </message>
  <message>
   <source>Add styles from features…</source>
   <translation>Stile aus Merkmalen hinzufügen…</translation>
  </message>
  <message>
   <source>Agree and download</source>
   <translation>Zustimmen und herunterladen</translation>
  </message>
  <message>
   <source>Agree and verify</source>
   <translation>Zustimmen und prüfen</translation>
  </message>
  <message>
   <source>Agreement</source>
   <translation>Übereinstimmung</translation>
  </message>
  <message>
   <source>Align</source>
   <translation>Ausrichten</translation>
  </message>
  <message>
   <source>Align long nuclei with the stroke, as in stroma</source>
   <translation>Lange Kerne nach dem Strich ausrichten, wie im Stroma</translation>
  </message>
  <message>
   <source>Alignment</source>
   <translation>Ausrichtung</translation>
  </message>
  <message>
   <source>All cells have a class</source>
   <translation>Alle Zellen haben eine Klasse</translation>
  </message>
  <message>
   <source>All nuclei here are in the layout already.</source>
   <translation>Alle Kerne hier sind schon im Layout.</translation>
  </message>
  <message>
   <source>All pairs</source>
   <translation>Alle Paare</translation>
  </message>
  <message>
   <source>All styles</source>
   <translation>Alle Stile</translation>
  </message>
  <message>
   <source>Already cancelling</source>
   <translation>Wird schon abgebrochen</translation>
  </message>
  <message>
   <source>Already installed</source>
   <translation>Schon installiert</translation>
  </message>
  <message>
   <source>Alt</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>An unexpected error occurred ({0}). Try again. The log has the details.</source>
   <translation>Ein unerwarteter Fehler ist aufgetreten ({0}). Versuchen Sie es erneut. Einzelheiten stehen im Protokoll.</translation>
  </message>
  <message>
   <source>Another layout is being computed</source>
   <translation>Ein anderes Layout wird berechnet</translation>
  </message>
  <message>
   <source>Another session is being opened. Wait until it is done.</source>
   <translation>Eine andere Sitzung wird geöffnet. Warten Sie, bis sie offen ist.</translation>
  </message>
  <message>
   <source>Another task is running</source>
   <translation>Eine andere Aufgabe läuft</translation>
  </message>
  <message>
   <source>Another window or user started it. Cancel it there</source>
   <translation>Ein anderes Fenster oder ein anderer Benutzer hat es gestartet. Brechen Sie es dort ab</translation>
  </message>
  <message>
   <source>Apache-2.0, on a non-commercial base</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Area</source>
   <translation>Bereich</translation>
  </message>
  <message>
   <source>Area · {0}</source>
   <translation>Bereich · {0}</translation>
  </message>
  <message>
   <source>As published</source>
   <translation>Wie veröffentlicht</translation>
  </message>
  <message>
   <source>As published starts from noise</source>
   <translation>Wie veröffentlicht beginnt mit Rauschen</translation>
  </message>
  <message>
   <source>As published: from noise, 100 Euler steps, guidance scale 1.2. Starting from the tissue keeps the cells.</source>
   <translation>Wie veröffentlicht: aus Rauschen, 100 Euler-Schritte, Guidance-Stärke 1,2. Vom Gewebe aus bleiben die Zellen erhalten.</translation>
  </message>
  <message>
   <source>As the authors do: DDIM steps, and in large images windows that overlap by half at every step. Those take two to three times as long.</source>
   <translation>Wie die Autoren: DDIM-Schritte, und in großen Bildern Fenster, die sich in jedem Schritt zur Hälfte überdecken. Solche dauern zwei- bis dreimal so lange.</translation>
  </message>
  <message>
   <source>Balance of the first and second style</source>
   <translation>Verhältnis des ersten und zweiten Stils</translation>
  </message>
  <message>
   <source>Base model</source>
   <translation>Basismodell</translation>
  </message>
  <message>
   <source>Best of</source>
   <translation>Bestes von</translation>
  </message>
  <message>
   <source>Binary masks, touching cells split</source>
   <translation>Binärmasken, berührende Zellen getrennt</translation>
  </message>
  <message>
   <source>Blend more styles, or generate a series of blends</source>
   <translation>Weitere Stile mischen, oder eine Reihe von Mischungen erzeugen</translation>
  </message>
  <message>
   <source>Blend the style with another, or stop blending</source>
   <translation>Stil mit einem anderen mischen, oder nicht mehr mischen</translation>
  </message>
  <message>
   <source>Blend this style with another, or return to the first one</source>
   <translation>Diesen Stil mit einem anderen mischen, oder zum ersten zurückkehren</translation>
  </message>
  <message>
   <source>Blend with another style first</source>
   <translation>Mischen Sie zuerst mit einem anderen Stil</translation>
  </message>
  <message>
   <source>Blend with…</source>
   <translation>Mischen mit…</translation>
  </message>
  <message>
   <source>Blending…</source>
   <translation>Die Stile werden gemischt…</translation>
  </message>
  <message>
   <source>Brown area</source>
   <translation>Braune Fläche</translation>
  </message>
  <message>
   <source>Brush</source>
   <translation>Pinsel</translation>
  </message>
  <message>
   <source>Built-in</source>
   <translation>Eingebaut</translation>
  </message>
  <message>
   <source>CC BY 4.0; trained on tissue of BreCaHAD, TNBC (Naylor et al.), OCDC and the oral images of Rahman et al., all CC BY 4.0, and on slides of OpenSlide's test data, free to use</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>CC BY-NC-ND 4.0 (non-commercial, no derivatives); read the model card</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>CC BY-NC-ND 4.0 (non-commercial; its terms apply to derived results)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>CENTIMETER</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>COCO: images, and their cells as RLE in a JSON file</source>
   <translation>COCO: Bilder, und ihre Zellen als RLE in einer JSON-Datei</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
  <message>
   <source>Cancel all</source>
   <translation>Alle abbrechen</translation>
  </message>
  <message>
   <source>Cancel all jobs</source>
   <translation>Alle Aufträge abbrechen</translation>
  </message>
  <message>
   <source>Cancel and keep the layout as it is (Esc)</source>
   <translation>Abbrechen und das Layout lassen, wie es ist (Esc)</translation>
  </message>
  <message>
   <source>Cancel before the next tile (Esc)</source>
   <translation>Vor der nächsten Kachel abbrechen (Esc)</translation>
  </message>
  <message>
   <source>Cancel before the next tiles (Esc)</source>
   <translation>Vor den nächsten Kacheln abbrechen (Esc)</translation>
  </message>
  <message>
   <source>Cancel current job</source>
   <translation>Aktuellen Auftrag abbrechen</translation>
  </message>
  <message>
   <source>Cancel evaluation</source>
   <translation>Auswertung abbrechen</translation>
  </message>
  <message>
   <source>Cancel the running and the waiting jobs</source>
   <translation>Den laufenden und die wartenden Aufträge abbrechen</translation>
  </message>
  <message>
   <source>Cancel the running job within one step (Esc)</source>
   <translation>Den laufenden Auftrag innerhalb eines Schritts abbrechen (Esc)</translation>
  </message>
  <message>
   <source>Cancel the search (Esc). Searching again resumes it.</source>
   <translation>Die Suche abbrechen (Esc). Eine neue Suche setzt sie fort.</translation>
  </message>
  <message>
   <source>Cancel the waiting jobs; the running one continues</source>
   <translation>Die wartenden Aufträge abbrechen; der laufende geht weiter</translation>
  </message>
  <message>
   <source>Cancel this job</source>
   <translation>Diesen Auftrag abbrechen</translation>
  </message>
  <message>
   <source>Cancel waiting</source>
   <translation>Wartende abbrechen</translation>
  </message>
  <message>
   <source>Cancel what runs; else return from a layout's tool to Select</source>
   <translation>Abbrechen, was läuft; sonst vom Werkzeug eines Layouts zurück zur Auswahl</translation>
  </message>
  <message>
   <source>Cancel, or return to Select</source>
   <translation>Abbrechen, oder zurück zur Auswahl</translation>
  </message>
  <message>
   <source>Cancelling</source>
   <translation>Wird abgebrochen</translation>
  </message>
  <message>
   <source>Cancelling…</source>
   <translation>Wird abgebrochen…</translation>
  </message>
  <message>
   <source>Cannot read the files
of this pair</source>
   <translation>Die Dateien dieses Paares
sind nicht lesbar</translation>
  </message>
  <message>
   <source>Cell area</source>
   <translation>Zellfläche</translation>
  </message>
  <message>
   <source>Cell count ratio</source>
   <translation>Verhältnis der Zellzahlen</translation>
  </message>
  <message>
   <source>Cell density. The marked area may have a higher or lower one.</source>
   <translation>Zelldichte. Der markierte Bereich kann eine höhere oder niedrigere haben.</translation>
  </message>
  <message>
   <source>Cell diameter</source>
   <translation>Zelldurchmesser</translation>
  </message>
  <message>
   <source>Cell probability</source>
   <translation>Zellwahrscheinlichkeit</translation>
  </message>
  <message>
   <source>Cell-wise overlap (AJI)</source>
   <translation>Überdeckung je Zelle (AJI)</translation>
  </message>
  <message>
   <source>Cell-wise overlap (PQ)</source>
   <translation>Überdeckung je Zelle (PQ)</translation>
  </message>
  <message>
   <source>Cellpose</source>
   <translation>Cellpose</translation>
  </message>
  <message>
   <source>Cellpose models (*)</source>
   <translation>Cellpose-Modelle (*)</translation>
  </message>
  <message>
   <source>Cellpose {0}</source>
   <translation>Cellpose {0}</translation>
  </message>
  <message>
   <source>Cellpose's code is BSD-3-Clause; its weights were trained on data for non-commercial use</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Cellpose-SAM, tile by tile; slow without a GPU</source>
   <translation>Cellpose-SAM, Kachel für Kachel; langsam ohne GPU</translation>
  </message>
  <message>
   <source>Cellpose: x.tif and x_masks.tif in one folder</source>
   <translation>Cellpose: x.tif und x_masks.tif in einem Ordner</translation>
  </message>
  <message>
   <source>Cells ({0});;{1} ({2});;{3} ({4});;All files (*)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Cells are not in the same positions as in the H&amp;E.</source>
   <translation>Zellen sind nicht an denselben Orten wie im H&amp;E.</translation>
  </message>
  <message>
   <source>Cells are segmented and invented in the marked area only ({0}).</source>
   <translation>Nur im markierten Bereich ({0}) wird segmentiert und werden Zellen erfunden.</translation>
  </message>
  <message>
   <source>Cells need a region. Add one first, then import again.</source>
   <translation>Zellen brauchen eine Region. Fügen Sie eine hinzu, und importieren Sie dann erneut.</translation>
  </message>
  <message>
   <source>Cells that you had edited were replaced ({0}).</source>
   <translation>Von Ihnen bearbeitete Zellen wurden ersetzt ({0}).</translation>
  </message>
  <message>
   <source>Change</source>
   <translation>Änderung</translation>
  </message>
  <message>
   <source>Change seed</source>
   <translation>Seed ändern</translation>
  </message>
  <message>
   <source>Change the colour that stands for “{0}”</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Change the marked area only; pixels beyond its soft border stay exactly the same. Choose another style to fill the area with other tissue.</source>
   <translation>Nur den markierten Bereich ändern; Pixel jenseits seines weichen Rands bleiben genau gleich. Mit einem anderen Stil füllen Sie den Bereich mit anderem Gewebe.</translation>
  </message>
  <message>
   <source>Change the tissue or a variant instead of generating from noise</source>
   <translation>Das Gewebe oder eine Variante ändern, statt aus Rauschen zu erzeugen</translation>
  </message>
  <message>
   <source>Check</source>
   <translation>Prüfung</translation>
  </message>
  <message>
   <source>Check this installation against published figures, on this machine</source>
   <translation>Diese Installation auf diesem Rechner mit veröffentlichten Zahlen vergleichen</translation>
  </message>
  <message>
   <source>Checks</source>
   <translation>Prüfungen</translation>
  </message>
  <message>
   <source>Checks this installation of {0} against published figures: decoding, embeddings, guidance, layouts, time and memory. It takes some minutes.</source>
   <translation>Prüft diese Installation von {0} an veröffentlichten Zahlen: Dekodierung, Einbettungen, Guidance, Layouts, Zeit und Speicher. Das dauert einige Minuten.</translation>
  </message>
  <message>
   <source>Choose a cluster file</source>
   <translation>Eine Cluster-Datei wählen</translation>
  </message>
  <message>
   <source>Choose a cluster file, or enter the address of a scheduler</source>
   <translation>Wählen Sie eine Cluster-Datei, oder geben Sie die Adresse eines Schedulers ein</translation>
  </message>
  <message>
   <source>Choose a folder of {0} images. The two images of a pair share their name.</source>
   <translation>Einen Ordner mit {0}-Bildern wählen. Die zwei Bilder eines Paares haben denselben Namen.</translation>
  </message>
  <message>
   <source>Choose a new folder and generate all pairs. Each is checked and has a record.</source>
   <translation>Einen neuen Ordner wählen und alle Paare erzeugen. Jedes wird geprüft und hat ein Protokoll.</translation>
  </message>
  <message>
   <source>Choose a patch by its row or position</source>
   <translation>Einen Patch nach Zeile oder Position wählen</translation>
  </message>
  <message>
   <source>Choose a patch in the list, or open its slide to see it there.</source>
   <translation>Wählen Sie einen Patch in der Liste, oder öffnen Sie seinen Schnitt, um ihn dort zu sehen.</translation>
  </message>
  <message>
   <source>Choose a saved style to rename or remove it</source>
   <translation>Wählen Sie einen gespeicherten Stil, um ihn umzubenennen oder zu entfernen</translation>
  </message>
  <message>
   <source>Choose another folder…</source>
   <translation>Anderen Ordner wählen…</translation>
  </message>
  <message>
   <source>Choose what to start from first</source>
   <translation>Wählen Sie zuerst, womit begonnen wird</translation>
  </message>
  <message>
   <source>Choose…</source>
   <translation>Wählen…</translation>
  </message>
  <message>
   <source>Class before</source>
   <translation>Vorige Klasse</translation>
  </message>
  <message>
   <source>Classes</source>
   <translation>Klassen</translation>
  </message>
  <message>
   <source>Classes of the cells: the picked one, or those of the template in its proportions</source>
   <translation>Klassen der Zellen: die gewählte, oder die der Vorlage in deren Anteilen</translation>
  </message>
  <message>
   <source>Clear</source>
   <translation>Leeren</translation>
  </message>
  <message>
   <source>Clear area</source>
   <translation>Bereich löschen</translation>
  </message>
  <message>
   <source>Clear decision</source>
   <translation>Entscheidung aufheben</translation>
  </message>
  <message>
   <source>Clear embedding cache</source>
   <translation>Gespeicherte Einbettungen löschen</translation>
  </message>
  <message>
   <source>Click a cell and its class, or set all.</source>
   <translation>Klicken Sie auf eine Zelle und ihre Klasse, oder setzen Sie alle.</translation>
  </message>
  <message>
   <source>Click a cell to fill its holes.</source>
   <translation>Eine Zelle anklicken, um ihre Löcher zu füllen.</translation>
  </message>
  <message>
   <source>Click a cell to select it</source>
   <translation>Eine Zelle anklicken, um sie auszuwählen</translation>
  </message>
  <message>
   <source>Click a cell to select it. Shift-click another to merge them. Del deletes it.</source>
   <translation>Klick wählt eine Zelle. Umschalt-Klick auf eine andere verbindet beide. Entf löscht sie.</translation>
  </message>
  <message>
   <source>Click a class to change its colour. The numbers are those of its cells.</source>
   <translation>Klicken Sie auf eine Klasse, um ihre Farbe zu ändern. Die Zahlen sind die ihrer Zellen.</translation>
  </message>
  <message>
   <source>Click a patch first</source>
   <translation>Klicken Sie zuerst auf einen Patch</translation>
  </message>
  <message>
   <source>Click a patch on the slide, and the active region imitates it.</source>
   <translation>Klicken Sie auf einen Patch im Schnitt, und die aktive Region ahmt ihn nach.</translation>
  </message>
  <message>
   <source>Click a row to colour its nuclei. Ctrl+C copies and Delete removes rows.</source>
   <translation>Klicken Sie auf eine Zeile, um ihre Kerne zu färben. Strg+C kopiert, Entf entfernt Zeilen.</translation>
  </message>
  <message>
   <source>Click a tool to edit the cells. Select picks one.</source>
   <translation>Klicken Sie auf ein Werkzeug, um die Zellen zu bearbeiten. „Auswahl“ wählt eine.</translation>
  </message>
  <message>
   <source>Click the cell to merge with the glowing one. Esc ends this.</source>
   <translation>Klicken Sie auf die Zelle, die mit der leuchtenden verbunden wird. Esc beendet das.</translation>
  </message>
  <message>
   <source>Click to place one nucleus of a real shape. Drag to scatter many.</source>
   <translation>Klick setzt einen Kern von echter Form. Ziehen verstreut viele.</translation>
  </message>
  <message>
   <source>Click to select a region, double-click to go to it. Right-click to rename or delete.</source>
   <translation>Klick wählt eine Region, Doppelklick geht zu ihr. Rechtsklick benennt sie um oder löscht sie.</translation>
  </message>
  <message>
   <source>Click to show or hide, double-click to star, right-click for more</source>
   <translation>Klick zeigt oder verbirgt, Doppelklick gibt einen Stern, Rechtsklick mehr</translation>
  </message>
  <message>
   <source>Close</source>
   <translation>Schließen</translation>
  </message>
  <message>
   <source>Close features</source>
   <translation>Merkmale schließen</translation>
  </message>
  <message>
   <source>Close similar tissue</source>
   <translation>Ähnliches Gewebe schließen</translation>
  </message>
  <message>
   <source>Close the file of features; styles taken from it stay</source>
   <translation>Die Datei mit Merkmalen schließen; Stile daraus bleiben</translation>
  </message>
  <message>
   <source>Close the list; the file stays open</source>
   <translation>Die Liste schließen; die Datei bleibt offen</translation>
  </message>
  <message>
   <source>Close without a download</source>
   <translation>Ohne Download schließen</translation>
  </message>
  <message>
   <source>Cluster file</source>
   <translation>Cluster-Datei</translation>
  </message>
  <message>
   <source>Cluster file or scheduler</source>
   <translation>Cluster-Datei oder Scheduler</translation>
  </message>
  <message>
   <source>Cluster files (*.toml)</source>
   <translation>Cluster-Dateien (*.toml)</translation>
  </message>
  <message>
   <source>Clustering</source>
   <translation>Häufung</translation>
  </message>
  <message>
   <source>Colour drift (ΔE)</source>
   <translation>Farbabweichung (ΔE)</translation>
  </message>
  <message>
   <source>Colour nuclei by class</source>
   <translation>Kerne nach Klasse färben</translation>
  </message>
  <message>
   <source>Colour of “{0}”</source>
   <translation>Farbe von „{0}“</translation>
  </message>
  <message>
   <source>Colour the outlines by agreement, or all alike</source>
   <translation>Umrisse nach Übereinstimmung färben, oder alle gleich</translation>
  </message>
  <message>
   <source>Colour the outlines by how the image shows each nucleus of the mask (P)</source>
   <translation>Die Umrisse danach färben, wie das Bild jeden Kern der Maske zeigt (P)</translation>
  </message>
  <message>
   <source>Colours</source>
   <translation>Farben</translation>
  </message>
  <message>
   <source>Colours stay as generated</source>
   <translation>Die Farben bleiben, wie sie erzeugt wurden</translation>
  </message>
  <message>
   <source>Compare several settings side by side</source>
   <translation>Mehrere Einstellungen nebeneinander vergleichen</translation>
  </message>
  <message>
   <source>Compare the variant with the tissue, which is shown left of a divider. Drag the divider on the canvas or here.</source>
   <translation>Vergleicht die Variante mit dem Gewebe, das links einer Trennlinie liegt. Ziehen Sie die Trennlinie im Bild oder hier.</translation>
  </message>
  <message>
   <source>Compute the region's embedding</source>
   <translation>Die Einbettung der Region berechnen</translation>
  </message>
  <message>
   <source>Contrast</source>
   <translation>Kontrast</translation>
  </message>
  <message>
   <source>Control</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Control-Shift-Z</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Control-Z</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>ControlNet</source>
   <translation>ControlNet</translation>
  </message>
  <message>
   <source>Convert</source>
   <translation>Umwandeln</translation>
  </message>
  <message>
   <source>Converting</source>
   <translation>Wird umgewandelt</translation>
  </message>
  <message>
   <source>Coordinates relative to the region</source>
   <translation>Koordinaten relativ zur Region</translation>
  </message>
  <message>
   <source>Copy record</source>
   <translation>Protokoll kopieren</translation>
  </message>
  <message>
   <source>Copy rows</source>
   <translation>Zeilen kopieren</translation>
  </message>
  <message>
   <source>Copy seed</source>
   <translation>Seed kopieren</translation>
  </message>
  <message>
   <source>Copy the files to a folder, for a machine without internet access</source>
   <translation>Die Dateien in einen Ordner kopieren, für einen Rechner ohne Internet</translation>
  </message>
  <message>
   <source>Copy the rows for a spreadsheet (Ctrl+C)</source>
   <translation>Die Zeilen für eine Tabellenkalkulation kopieren (Strg+C)</translation>
  </message>
  <message>
   <source>Copy the statistics of an existing layout</source>
   <translation>Die Kennzahlen eines vorhandenen Layouts übernehmen</translation>
  </message>
  <message>
   <source>Correct the pixel size</source>
   <translation>Pixelgröße berichtigen</translation>
  </message>
  <message>
   <source>Correct the pixel size of the slide</source>
   <translation>Die Pixelgröße des Schnitts berichtigen</translation>
  </message>
  <message>
   <source>Correct the pixel size…</source>
   <translation>Pixelgröße berichtigen…</translation>
  </message>
  <message>
   <source>Count from corner</source>
   <translation>Ab der Ecke zählen</translation>
  </message>
  <message>
   <source>Counting the cells…</source>
   <translation>Die Zellen werden gezählt…</translation>
  </message>
  <message>
   <source>Create a layout from statistics, or vary an existing one</source>
   <translation>Ein Layout aus Kennzahlen erfinden, oder ein vorhandenes variieren</translation>
  </message>
  <message>
   <source>Ctrl-click</source>
   <translation>Strg-Klick</translation>
  </message>
  <message>
   <source>Current pair</source>
   <translation>Aktuelles Paar</translation>
  </message>
  <message>
   <source>Cut cells in two</source>
   <translation>Zellen zerteilen</translation>
  </message>
  <message>
   <source>DAB OD</source>
   <translation>DAB OD</translation>
  </message>
  <message>
   <source>DAB optical density of 1+, 2+ and 3+</source>
   <translation>Optische Dichte von DAB für 1+, 2+ und 3+</translation>
  </message>
  <message>
   <source>DEMO</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>DEMO model: an invented stain, not biology. Its brown nuclei say nothing about the tissue. Not for research or diagnosis</source>
   <translation>DEMO-Modell: eine erfundene Färbung, keine Biologie. Ihre braunen Kerne sagen nichts über das Gewebe. Nicht für Forschung oder Diagnostik</translation>
  </message>
  <message>
   <source>DEMO model: illustrative quality only. Its classes are looks of nuclei, not cell types. Not for research or diagnosis</source>
   <translation>DEMO-Modell: nur zur Veranschaulichung. Seine Klassen sind Aussehen von Kernen, keine Zelltypen. Nicht für Forschung oder Diagnostik</translation>
  </message>
  <message>
   <source>DEMO model: illustrative quality only. Not for research or diagnosis</source>
   <translation>DEMO-Modell: nur zur Veranschaulichung. Nicht für Forschung oder Diagnostik</translation>
  </message>
  <message>
   <source>DISPLAY</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Dashboard</source>
   <translation>Dashboard</translation>
  </message>
  <message>
   <source>Dataset</source>
   <translation>Datensatz</translation>
  </message>
  <message>
   <source>Dataset &amp;&amp; export</source>
   <translation>Datensatz &amp;&amp; Export</translation>
  </message>
  <message>
   <source>Datasets</source>
   <translation>Datensätze</translation>
  </message>
  <message>
   <source>Datasets are being made</source>
   <translation>Datensätze werden erzeugt</translation>
  </message>
  <message>
   <source>Del</source>
   <translation>Entf</translation>
  </message>
  <message>
   <source>Delete</source>
   <translation>Löschen</translation>
  </message>
  <message>
   <source>Delete any cell</source>
   <translation>Beliebige Zelle löschen</translation>
  </message>
  <message>
   <source>Delete region</source>
   <translation>Region löschen</translation>
  </message>
  <message>
   <source>Delete the cached embeddings of regions</source>
   <translation>Die gespeicherten Einbettungen von Regionen löschen</translation>
  </message>
  <message>
   <source>Delete the files from this machine</source>
   <translation>Die Dateien von diesem Rechner löschen</translation>
  </message>
  <message>
   <source>Delete the selected cell</source>
   <translation>Ausgewählte Zelle löschen</translation>
  </message>
  <message>
   <source>Delete the selected cell (Del). Ctrl-click deletes any.</source>
   <translation>Die ausgewählte Zelle löschen (Entf). Strg-Klick löscht jede.</translation>
  </message>
  <message>
   <source>Demo (bundled)</source>
   <translation>Demo (mitgeliefert)</translation>
  </message>
  <message>
   <source>Demo Ki67 (not biology)</source>
   <translation>Demo Ki67 (keine Biologie)</translation>
  </message>
  <message>
   <source>Demo with cell classes</source>
   <translation>Demo mit Zellklassen</translation>
  </message>
  <message>
   <source>Denoising steps</source>
   <translation>Entrauschungsschritte</translation>
  </message>
  <message>
   <source>Denoising steps, guidance and previews</source>
   <translation>Entrauschungsschritte, Guidance und Vorschau</translation>
  </message>
  <message>
   <source>Denoising steps. More steps are slower and slightly sharper.</source>
   <translation>Entrauschungsschritte. Mehr Schritte dauern länger und sind etwas schärfer.</translation>
  </message>
  <message>
   <source>Density</source>
   <translation>Dichte</translation>
  </message>
  <message>
   <source>Density in the area</source>
   <translation>Dichte im Bereich</translation>
  </message>
  <message>
   <source>Density of invented cells in the area that you paint</source>
   <translation>Dichte der Zellen, die im übermalten Bereich erfunden werden</translation>
  </message>
  <message>
   <source>Deutsch</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Diameter of a typical cell, for Cellpose. It is rarely needed.</source>
   <translation>Durchmesser einer typischen Zelle, für Cellpose. Er wird selten gebraucht.</translation>
  </message>
  <message>
   <source>Diameter of brush and eraser in µm ([ and ] change it)</source>
   <translation>Durchmesser von Pinsel und Radierer in µm ([ und ] ändern ihn)</translation>
  </message>
  <message>
   <source>Discard restored jobs</source>
   <translation>Wiederhergestellte Aufträge verwerfen</translation>
  </message>
  <message>
   <source>Discard variant</source>
   <translation>Variante verwerfen</translation>
  </message>
  <message>
   <source>Discarded {0} to free disk space. Star variants to keep them (S).</source>
   <translation>Um Speicherplatz freizugeben, wurden verworfen: {0}. Ein Stern (S) behält Varianten.</translation>
  </message>
  <message>
   <source>Discard{0}</source>
   <translation>Verwerfen{0}</translation>
  </message>
  <message>
   <source>Dismiss</source>
   <translation>Schließen</translation>
  </message>
  <message>
   <source>Dismiss this message</source>
   <translation>Diese Meldung schließen</translation>
  </message>
  <message>
   <source>Distance by which cells move</source>
   <translation>Strecke, um die Zellen verschoben werden</translation>
  </message>
  <message>
   <source>Do they help?</source>
   <translation>Helfen sie?</translation>
  </message>
  <message>
   <source>Download stopped. It resumes the next time.</source>
   <translation>Der Download wurde angehalten. Das nächste Mal geht er weiter.</translation>
  </message>
  <message>
   <source>Download the model, or add it from a folder</source>
   <translation>Das Modell herunterladen, oder aus einem Ordner hinzufügen</translation>
  </message>
  <message>
   <source>Download virtual stains</source>
   <translation>Virtuelle Färbungen herunterladen</translation>
  </message>
  <message>
   <source>Download…</source>
   <translation>Herunterladen…</translation>
  </message>
  <message>
   <source>Drag a line across a cell to cut it in two.</source>
   <translation>Eine Linie durch eine Zelle ziehen, um sie zu teilen.</translation>
  </message>
  <message>
   <source>Drag around a cell and release. Or click corners, and double-click to close.</source>
   <translation>Um eine Zelle ziehen und loslassen. Oder Ecken anklicken und mit Doppelklick schließen.</translation>
  </message>
  <message>
   <source>Drag on the slide, corner to corner.</source>
   <translation>Auf dem Schnitt von Ecke zu Ecke ziehen.</translation>
  </message>
  <message>
   <source>Drag over cells to erase them.</source>
   <translation>Über Zellen ziehen, um sie zu löschen.</translation>
  </message>
  <message>
   <source>Draw a random seed</source>
   <translation>Zufälligen Seed ziehen</translation>
  </message>
  <message>
   <source>Draw a random seed now</source>
   <translation>Jetzt einen zufälligen Seed ziehen</translation>
  </message>
  <message>
   <source>Draw a region of any size by dragging on the slide</source>
   <translation>Eine Region beliebiger Größe durch Ziehen auf dem Schnitt zeichnen</translation>
  </message>
  <message>
   <source>Draw around a cell</source>
   <translation>Eine Zelle umfahren</translation>
  </message>
  <message>
   <source>Draw region</source>
   <translation>Region zeichnen</translation>
  </message>
  <message>
   <source>Draw region of any size</source>
   <translation>Region beliebiger Größe zeichnen</translation>
  </message>
  <message>
   <source>Drop wrong nuclei from masks</source>
   <translation>Falsche Kerne aus Masken entfernen</translation>
  </message>
  <message>
   <source>ER</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Each stroke is a new cell. Hold Shift to extend the cell you start in.</source>
   <translation>Jeder Strich ist eine neue Zelle. Mit Umschalt erweitern Sie die Zelle, in der Sie beginnen.</translation>
  </message>
  <message>
   <source>Earlier sessions of this slide</source>
   <translation>Frühere Sitzungen dieses Schnitts</translation>
  </message>
  <message>
   <source>Elongation</source>
   <translation>Streckung</translation>
  </message>
  <message>
   <source>Embed region</source>
   <translation>Region einbetten</translation>
  </message>
  <message>
   <source>Embed {0} first</source>
   <translation>Betten Sie zuerst {0} ein</translation>
  </message>
  <message>
   <source>Embedding</source>
   <translation>Einbetten</translation>
  </message>
  <message>
   <source>Embedding the regions…</source>
   <translation>Die Regionen werden eingebettet…</translation>
  </message>
  <message>
   <source>Embedding {0}…</source>
   <translation>{0} wird eingebettet…</translation>
  </message>
  <message>
   <source>Embeddings of regions are cached without names, so that a slide reopens at once: {0} of at most {1}. They are computed again when needed. Saved styles stay.</source>
   <translation>Einbettungen von Regionen werden ohne Namen gespeichert, so dass ein Schnitt sofort wieder bereit ist: {0} von höchstens {1}. Bei Bedarf werden sie neu berechnet. Gespeicherte Stile bleiben.</translation>
  </message>
  <message>
   <source>Embedding…</source>
   <translation>Einbettung läuft…</translation>
  </message>
  <message>
   <source>Embedding… {0} of {1} tiles</source>
   <translation>Einbettung… {0} von {1} Kacheln</translation>
  </message>
  <message>
   <source>English</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Enlarge region</source>
   <translation>Region vergrößern</translation>
  </message>
  <message>
   <source>Enlarge the region to the size these stains need</source>
   <translation>Die Region auf die Größe bringen, die diese Färbungen brauchen</translation>
  </message>
  <message>
   <source>Enter</source>
   <translation>Eingabetaste</translation>
  </message>
  <message>
   <source>Enter a name for the model</source>
   <translation>Geben Sie dem Modell einen Namen</translation>
  </message>
  <message>
   <source>Enter a name for the stain</source>
   <translation>Geben Sie der Färbung einen Namen</translation>
  </message>
  <message>
   <source>Erase parts of cells</source>
   <translation>Teile von Zellen löschen</translation>
  </message>
  <message>
   <source>Eraser</source>
   <translation>Radierer</translation>
  </message>
  <message>
   <source>Esc</source>
   <translation>Esc</translation>
  </message>
  <message>
   <source>Escape</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Every step in full.</source>
   <translation>Alle Schritte in voller Zahl.</translation>
  </message>
  <message>
   <source>Export image–mask pairs</source>
   <translation>Bild-Masken-Paare exportieren</translation>
  </message>
  <message>
   <source>Export model to folder</source>
   <translation>Modell in einen Ordner exportieren</translation>
  </message>
  <message>
   <source>Export only the variants with a star</source>
   <translation>Nur die Varianten mit Stern exportieren</translation>
  </message>
  <message>
   <source>Export pairs</source>
   <translation>Paare exportieren</translation>
  </message>
  <message>
   <source>Export to a folder</source>
   <translation>In einen Ordner exportieren</translation>
  </message>
  <message>
   <source>Export variants…</source>
   <translation>Varianten exportieren…</translation>
  </message>
  <message>
   <source>Export {0}…</source>
   <translation>{0} exportieren…</translation>
  </message>
  <message>
   <source>Exporting…</source>
   <translation>Export läuft…</translation>
  </message>
  <message>
   <source>Export…</source>
   <translation>Exportieren…</translation>
  </message>
  <message>
   <source>Extra nuclei</source>
   <translation>Überzählige Kerne</translation>
  </message>
  <message>
   <source>Extra variations of each layout, with cells moved or added</source>
   <translation>Weitere Abwandlungen jedes Layouts, mit versetzten oder neuen Zellen</translation>
  </message>
  <message>
   <source>FAIL</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>FIRST</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>FORMATS</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Factor on the area of the nuclei</source>
   <translation>Faktor für die Fläche der Kerne</translation>
  </message>
  <message>
   <source>Fast and without weights, by the haematoxylin colour</source>
   <translation>Schnell und ohne Gewichte, nach der Farbe des Hämatoxylins</translation>
  </message>
  <message>
   <source>Features of patches (*.h5 *.hdf5);;All files (*)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Fields of view</source>
   <translation>Gesichtsfelder</translation>
  </message>
  <message>
   <source>Fill</source>
   <translation>Füllen</translation>
  </message>
  <message>
   <source>Fill the cells with colour, or show their outlines only (X). Z hides them.</source>
   <translation>Die Zellen farbig füllen, oder nur ihre Umrisse zeigen (X). Z blendet sie aus.</translation>
  </message>
  <message>
   <source>Fill the holes of a cell</source>
   <translation>Die Löcher einer Zelle füllen</translation>
  </message>
  <message>
   <source>Fill the region or its marked area with cells</source>
   <translation>Die Region oder ihren markierten Bereich mit Zellen füllen</translation>
  </message>
  <message>
   <source>Filled</source>
   <translation>Gefüllt</translation>
  </message>
  <message>
   <source>Filter pairs by decision or flag</source>
   <translation>Paare nach Entscheidung oder Befund filtern</translation>
  </message>
  <message>
   <source>Filter pairs by style</source>
   <translation>Paare nach Stil filtern</translation>
  </message>
  <message>
   <source>Find a patch by its row or position</source>
   <translation>Patch nach Zeile oder Position suchen</translation>
  </message>
  <message>
   <source>Find nuclei that do not follow their mask, and generate these spots again, in as many rounds as “Settings → Steps” allows</source>
   <translation>Kerne suchen, die ihrer Maske nicht folgen, und diese Stellen neu erzeugen, in so vielen Runden, wie „Einstellungen → Schritte“ erlaubt</translation>
  </message>
  <message>
   <source>Find nuclei that the variants do not show, or that were not asked for, and generate these spots again</source>
   <translation>Kerne suchen, die in den Varianten fehlen oder nicht verlangt waren, und diese Stellen neu erzeugen</translation>
  </message>
  <message>
   <source>Find patches similar to the one chosen last</source>
   <translation>Patches suchen, die dem zuletzt gewählten ähneln</translation>
  </message>
  <message>
   <source>Find similar</source>
   <translation>Ähnliche suchen</translation>
  </message>
  <message>
   <source>Find similar tissue</source>
   <translation>Ähnliches Gewebe suchen</translation>
  </message>
  <message>
   <source>Find the cells</source>
   <translation>Zellen finden</translation>
  </message>
  <message>
   <source>Find the nuclei, or draw cells with the brush, the outline or the stamp.</source>
   <translation>Suchen Sie die Kerne, oder zeichnen Sie Zellen mit Pinsel, Umriss oder Stempel.</translation>
  </message>
  <message>
   <source>Find tissue similar to the active region</source>
   <translation>Gewebe suchen, das der aktiven Region ähnelt</translation>
  </message>
  <message>
   <source>Finding the cells…</source>
   <translation>Zellen werden gesucht…</translation>
  </message>
  <message>
   <source>Finding tissue…</source>
   <translation>Gewebe wird gesucht…</translation>
  </message>
  <message>
   <source>Flagged by a check</source>
   <translation>Auffällig</translation>
  </message>
  <message>
   <source>Flow threshold</source>
   <translation>Flussschwelle</translation>
  </message>
  <message>
   <source>Fold or unfold this section</source>
   <translation>Diesen Abschnitt auf- oder zuklappen</translation>
  </message>
  <message>
   <source>Folder for the converted dataset</source>
   <translation>Ordner für den umgewandelten Datensatz</translation>
  </message>
  <message>
   <source>Folder of images and masks</source>
   <translation>Ordner mit Bildern und Masken</translation>
  </message>
  <message>
   <source>Folder of labelled tiles: images and labels</source>
   <translation>Ordner mit beschrifteten Kacheln: Bilder und Masken</translation>
  </message>
  <message>
   <source>Folder of the dataset</source>
   <translation>Ordner des Datensatzes</translation>
  </message>
  <message>
   <source>Folder of the sample data</source>
   <translation>Ordner der Beispieldaten</translation>
  </message>
  <message>
   <source>Folder of {0} images</source>
   <translation>Ordner mit {0}-Bildern</translation>
  </message>
  <message>
   <source>Folders (*)</source>
   <translation>Ordner (*)</translation>
  </message>
  <message>
   <source>Folder…</source>
   <translation>Ordner…</translation>
  </message>
  <message>
   <source>For Cellpose only</source>
   <translation>Nur für Cellpose</translation>
  </message>
  <message>
   <source>For research use only</source>
   <translation>Nur für die Forschung</translation>
  </message>
  <message>
   <source>For the built-in method only</source>
   <translation>Nur für die eingebaute Methode</translation>
  </message>
  <message>
   <source>Found</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Fraction of the denoising steps in which the layout acts</source>
   <translation>Anteil der Entrauschungsschritte, in denen das Layout wirkt</translation>
  </message>
  <message>
   <source>Free memory</source>
   <translation>Speicher freigeben</translation>
  </message>
  <message>
   <source>Free memory of models</source>
   <translation>Speicher der Modelle freigeben</translation>
  </message>
  <message>
   <source>Free the memory of the models, on GPU and CPU</source>
   <translation>Den Speicher der Modelle freigeben, auf GPU und CPU</translation>
  </message>
  <message>
   <source>GPU</source>
   <translation>GPU</translation>
  </message>
  <message>
   <source>GPU 0 stays with this window</source>
   <translation>GPU 0 bleibt diesem Fenster</translation>
  </message>
  <message>
   <source>GPU memory</source>
   <translation>GPU-Speicher</translation>
  </message>
  <message>
   <source>GPUs</source>
   <translation>GPUs</translation>
  </message>
  <message>
   <source>Generate</source>
   <translation>Erzeugen</translation>
  </message>
  <message>
   <source>Generate a dataset first</source>
   <translation>Erzeugen Sie zuerst einen Datensatz</translation>
  </message>
  <message>
   <source>Generate a few pairs and show them on a contact sheet. Resume for the rest.</source>
   <translation>Einige Paare erzeugen und auf einem Kontaktbogen zeigen. „Fortsetzen“ erzeugt die übrigen.</translation>
  </message>
  <message>
   <source>Generate all images of the grid as one job</source>
   <translation>Alle Bilder des Rasters als einen Auftrag erzeugen</translation>
  </message>
  <message>
   <source>Generate dataset…</source>
   <translation>Datensatz erzeugen…</translation>
  </message>
  <message>
   <source>Generate grid</source>
   <translation>Raster erzeugen</translation>
  </message>
  <message>
   <source>Generate grid of settings</source>
   <translation>Raster von Einstellungen erzeugen</translation>
  </message>
  <message>
   <source>Generate one variant for each step from the first style to the last, with one seed</source>
   <translation>Eine Variante für jeden Schritt vom ersten zum letzten Stil erzeugen, mit einem Seed</translation>
  </message>
  <message>
   <source>Generate or resume a dataset first</source>
   <translation>Erzeugen oder öffnen Sie zuerst einen Datensatz</translation>
  </message>
  <message>
   <source>Generate series</source>
   <translation>Reihe erzeugen</translation>
  </message>
  <message>
   <source>Generate series between two styles</source>
   <translation>Reihe zwischen zwei Stilen erzeugen</translation>
  </message>
  <message>
   <source>Generate the selected stains over the region</source>
   <translation>Die ausgewählten Färbungen über der Region erzeugen</translation>
  </message>
  <message>
   <source>Generate variants</source>
   <translation>Varianten erzeugen</translation>
  </message>
  <message>
   <source>Generate variants first</source>
   <translation>Erzeugen Sie zuerst Varianten</translation>
  </message>
  <message>
   <source>Generate variants of the active region</source>
   <translation>Varianten der aktiven Region erzeugen</translation>
  </message>
  <message>
   <source>Generate variants over the region (G)</source>
   <translation>Varianten über der Region erzeugen (G)</translation>
  </message>
  <message>
   <source>Generate with this seed again and again. Otherwise each generation draws a new one.</source>
   <translation>Immer wieder mit diesem Seed erzeugen. Sonst zieht jede Erzeugung einen neuen.</translation>
  </message>
  <message>
   <source>Generate without a layout</source>
   <translation>Ohne Layout erzeugen</translation>
  </message>
  <message>
   <source>Generate {0}</source>
   <translation>{0} erzeugen</translation>
  </message>
  <message>
   <source>Get model…</source>
   <translation>Modell holen…</translation>
  </message>
  <message>
   <source>Get stains…</source>
   <translation>Färbungen holen…</translation>
  </message>
  <message>
   <source>Get weights…</source>
   <translation>Gewichte holen…</translation>
  </message>
  <message>
   <source>Get {0}…</source>
   <translation>{0} holen…</translation>
  </message>
  <message>
   <source>Give the picked class to all cells without one, and to those of unknown classes</source>
   <translation>Allen Zellen ohne Klasse, und denen unbekannter Klassen, die gewählte geben</translation>
  </message>
  <message>
   <source>Go to a match, {0} similar</source>
   <translation>Zu einem Treffer gehen, {0} ähnlich</translation>
  </message>
  <message>
   <source>Go to match</source>
   <translation>Zum Treffer gehen</translation>
  </message>
  <message>
   <source>Go to region</source>
   <translation>Zur Region gehen</translation>
  </message>
  <message>
   <source>Grid</source>
   <translation>Raster</translation>
  </message>
  <message>
   <source>Grow</source>
   <translation>Größer</translation>
  </message>
  <message>
   <source>Grow the selected cell by a pixel</source>
   <translation>Die ausgewählte Zelle um einen Pixel wachsen lassen</translation>
  </message>
  <message>
   <source>Guidance scale</source>
   <translation>Guidance-Stärke</translation>
  </message>
  <message>
   <source>Guidance scale. Higher values follow the style more closely; 1 is off.</source>
   <translation>Guidance-Stärke. Höhere Werte folgen dem Stil genauer; 1 schaltet sie aus.</translation>
  </message>
  <message>
   <source>H-score</source>
   <translation>H-Score</translation>
  </message>
  <message>
   <source>HER2</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>HER2Match</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Hide all variants of the region</source>
   <translation>Alle Varianten der Region ausblenden</translation>
  </message>
  <message>
   <source>Hide or show cells</source>
   <translation>Zellen aus- oder einblenden</translation>
  </message>
  <message>
   <source>Hide variants of the active region</source>
   <translation>Varianten der aktiven Region ausblenden</translation>
  </message>
  <message>
   <source>Highest first</source>
   <translation>Höchste zuerst</translation>
  </message>
  <message>
   <source>Hold out 20 % for validation</source>
   <translation>20 % zur Validierung zurückhalten</translation>
  </message>
  <message>
   <source>How closely cells follow the layout: 0 ignores it, 1 is as trained</source>
   <translation>Wie genau Zellen dem Layout folgen: 0 beachtet es nicht, 1 ist wie trainiert</translation>
  </message>
  <message>
   <source>How nuclei are segmented if images have no masks</source>
   <translation>Wie Kerne segmentiert werden, wenn Bilder keine Masken haben</translation>
  </message>
  <message>
   <source>How styles and layouts are combined</source>
   <translation>Wie Stile und Layouts verbunden werden</translation>
  </message>
  <message>
   <source>Hugging Face imagefolder: images, masks and a dataset card</source>
   <translation>Hugging Face imagefolder: Bilder, Masken und eine Beschreibung</translation>
  </message>
  <message>
   <source>IHC</source>
   <translation>IHC</translation>
  </message>
  <message>
   <source>IHC measurements</source>
   <translation>IHC-Messungen</translation>
  </message>
  <message>
   <source>Image</source>
   <translation>Bild</translation>
  </message>
  <message>
   <source>Images and masks: {0}</source>
   <translation>Bilder und Masken: {0}</translation>
  </message>
  <message>
   <source>Images generated without a layout have no mask.</source>
   <translation>Ohne Layout erzeugte Bilder haben keine Maske.</translation>
  </message>
  <message>
   <source>Images of tissue (*.png *.jpg *.jpeg *.tif *.tiff *.bmp);;All files (*)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Images without masks name no classes</source>
   <translation>Bilder ohne Masken nennen keine Klassen</translation>
  </message>
  <message>
   <source>Image–mask pairs for training</source>
   <translation>Bild-Masken-Paare für das Training</translation>
  </message>
  <message>
   <source>Import a folder that was exported on another machine</source>
   <translation>Einen Ordner importieren, der auf einem anderen Rechner exportiert wurde</translation>
  </message>
  <message>
   <source>Import cells</source>
   <translation>Zellen importieren</translation>
  </message>
  <message>
   <source>Import cells from QuPath, ImageScope, ASAP, CVAT, Labelme, Cellpose, HoVer-Net, CellViT, COCO, YOLO, ImageJ, Xenium, OME-Zarr or a label image. You can also drop the file here.</source>
   <translation>Zellen aus QuPath, ImageScope, ASAP, CVAT, Labelme, Cellpose, HoVer-Net, CellViT, COCO, YOLO, ImageJ, Xenium, OME-Zarr oder einem Labelbild importieren. Sie können die Datei auch hier ablegen.</translation>
  </message>
  <message>
   <source>Import folder of weights</source>
   <translation>Ordner mit Gewichten importieren</translation>
  </message>
  <message>
   <source>Import folder…</source>
   <translation>Ordner importieren…</translation>
  </message>
  <message>
   <source>Import layout from a file</source>
   <translation>Layout aus einer Datei importieren</translation>
  </message>
  <message>
   <source>Importing {0}…</source>
   <translation>{0} wird importiert…</translation>
  </message>
  <message>
   <source>Import…</source>
   <translation>Importieren…</translation>
  </message>
  <message>
   <source>Invent</source>
   <translation>Erfinden</translation>
  </message>
  <message>
   <source>Invent cells</source>
   <translation>Zellen erfinden</translation>
  </message>
  <message>
   <source>Invent cells in the active region</source>
   <translation>Zellen in der aktiven Region erfinden</translation>
  </message>
  <message>
   <source>Invented layouts</source>
   <translation>Erfundene Layouts</translation>
  </message>
  <message>
   <source>Inventing</source>
   <translation>Erfinden</translation>
  </message>
  <message>
   <source>It continues</source>
   <translation>Es geht weiter</translation>
  </message>
  <message>
   <source>It continues when this window is closed.</source>
   <translation>Es geht weiter, wenn dieses Fenster geschlossen wird.</translation>
  </message>
  <message>
   <source>It continues when this window is closed. Cancel it here to stop it.</source>
   <translation>Es geht weiter, wenn dieses Fenster geschlossen wird. Brechen Sie hier ab, um es anzuhalten.</translation>
  </message>
  <message>
   <source>It follows the cells not clearly better than shuffled ones. Do not trust it. More steps or more pairs may help.</source>
   <translation>Es folgt den Zellen nicht deutlich besser als vertauschten. Vertrauen Sie ihm nicht. Mehr Schritte oder mehr Paare können helfen.</translation>
  </message>
  <message>
   <source>It is being started</source>
   <translation>Es wird gestartet</translation>
  </message>
  <message>
   <source>Its own figure</source>
   <translation>Eigene Zahl</translation>
  </message>
  <message>
   <source>JSON (*.json)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Keep existing cells</source>
   <translation>Vorhandene Zellen behalten</translation>
  </message>
  <message>
   <source>Keep preview</source>
   <translation>Vorschau behalten</translation>
  </message>
  <message>
   <source>Keep the best of this many images for each pair</source>
   <translation>Das beste von so vielen Bildern für jedes Paar behalten</translation>
  </message>
  <message>
   <source>Keep the live preview as a variant</source>
   <translation>Die Live-Vorschau als Variante behalten</translation>
  </message>
  <message>
   <source>Keep the seed</source>
   <translation>Seed beibehalten</translation>
  </message>
  <message>
   <source>Keep the window open</source>
   <translation>Fenster offen lassen</translation>
  </message>
  <message>
   <source>Ki67</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Larger cells are removed, such as clumps and pigment</source>
   <translation>Größere Zellen werden entfernt, etwa Klumpen und Pigment</translation>
  </message>
  <message>
   <source>Largest area</source>
   <translation>Größte Fläche</translation>
  </message>
  <message>
   <source>Layout acts on both halves</source>
   <translation>Layout wirkt auf beide Hälften</translation>
  </message>
  <message>
   <source>Layout acts until</source>
   <translation>Layout wirkt bis</translation>
  </message>
  <message>
   <source>Layout of these variants</source>
   <translation>Layout dieser Varianten</translation>
  </message>
  <message>
   <source>Layout of {0}</source>
   <translation>Layout von {0}</translation>
  </message>
  <message>
   <source>Layout strength</source>
   <translation>Stärke des Layouts</translation>
  </message>
  <message>
   <source>Layout · {0}</source>
   <translation>Layout · {0}</translation>
  </message>
  <message>
   <source>Layouts</source>
   <translation>Layouts</translation>
  </message>
  <message>
   <source>Learn classes of cells</source>
   <translation>Zellklassen lernen</translation>
  </message>
  <message>
   <source>Leave it running</source>
   <translation>Weiterlaufen lassen</translation>
  </message>
  <message>
   <source>Leave this pair out of exports, and go to the next (D)</source>
   <translation>Dieses Paar nicht exportieren, und zum nächsten gehen (D)</translation>
  </message>
  <message>
   <source>Let clicks on the slide choose a patch, also after another layer was selected</source>
   <translation>Klicks auf den Schnitt wählen wieder einen Patch, auch nachdem eine andere Ebene ausgewählt war</translation>
  </message>
  <message>
   <source>Let the checks decide whether the selected pairs are used (N)</source>
   <translation>Die Prüfungen entscheiden lassen, ob die ausgewählten Paare verwendet werden (N)</translation>
  </message>
  <message>
   <source>Let the layout act on the unconditional half of the guidance as well</source>
   <translation>Das Layout auch auf die unbedingte Hälfte der Guidance wirken lassen</translation>
  </message>
  <message>
   <source>Let the model place the cells</source>
   <translation>Das Modell die Zellen anordnen lassen</translation>
  </message>
  <message>
   <source>Licence of the weights: {0}</source>
   <translation>Lizenz der Gewichte: {0}</translation>
  </message>
  <message>
   <source>List…</source>
   <translation>Liste…</translation>
  </message>
  <message>
   <source>Little remains but light and dark.</source>
   <translation>Außer hell und dunkel bleibt wenig.</translation>
  </message>
  <message>
   <source>Live</source>
   <translation>Live</translation>
  </message>
  <message>
   <source>Live mode needs a region of at most {0} tiles</source>
   <translation>Live braucht eine Region von höchstens {0} Kacheln</translation>
  </message>
  <message>
   <source>Locate folder of weights</source>
   <translation>Ordner mit Gewichten suchen</translation>
  </message>
  <message>
   <source>Locate slide…</source>
   <translation>Schnitt suchen…</translation>
  </message>
  <message>
   <source>Locate weights…</source>
   <translation>Gewichte suchen…</translation>
  </message>
  <message>
   <source>Lowest first</source>
   <translation>Niedrigste zuerst</translation>
  </message>
  <message>
   <source>MahmoodLab/UNI2-h</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Make the missing pairs, with as many processes as before</source>
   <translation>Die fehlenden Paare erzeugen, mit so vielen Prozessen wie zuvor</translation>
  </message>
  <message>
   <source>Make the patch a style, and let the active region imitate it (double click)</source>
   <translation>Den Patch zum Stil machen, den die aktive Region nachahmt (Doppelklick)</translation>
  </message>
  <message>
   <source>Manage models</source>
   <translation>Modelle verwalten</translation>
  </message>
  <message>
   <source>Map</source>
   <translation>Karte</translation>
  </message>
  <message>
   <source>Mark an area first</source>
   <translation>Markieren Sie zuerst einen Bereich</translation>
  </message>
  <message>
   <source>Mark area</source>
   <translation>Bereich markieren</translation>
  </message>
  <message>
   <source>Mark area of the region</source>
   <translation>Bereich der Region markieren</translation>
  </message>
  <message>
   <source>Mark area to regenerate</source>
   <translation>Bereich zum Neuerzeugen markieren</translation>
  </message>
  <message>
   <source>Marked area only</source>
   <translation>Nur markierter Bereich</translation>
  </message>
  <message>
   <source>Maximum number of fields of view sampled</source>
   <translation>Größte Zahl von Gesichtsfeldern, die gezogen werden</translation>
  </message>
  <message>
   <source>Mean DAB optical density at which a nucleus counts as {0}</source>
   <translation>Mittlere optische Dichte von DAB, ab der ein Kern als {0} zählt</translation>
  </message>
  <message>
   <source>Measure IHC</source>
   <translation>IHC messen</translation>
  </message>
  <message>
   <source>Measure IHC in tissue</source>
   <translation>IHC im Gewebe messen</translation>
  </message>
  <message>
   <source>Measure IHC in variant</source>
   <translation>IHC in der Variante messen</translation>
  </message>
  <message>
   <source>Measure haematoxylin and DAB in the region's own tissue, on slides of real IHC</source>
   <translation>Hämatoxylin und DAB im Gewebe der Region messen, auf Schnitten mit echter IHC</translation>
  </message>
  <message>
   <source>Measure haematoxylin and DAB in the variant shown, such as a virtual stain</source>
   <translation>Hämatoxylin und DAB in der gezeigten Variante messen, etwa einer virtuellen Färbung</translation>
  </message>
  <message>
   <source>Measure tissue</source>
   <translation>Gewebe messen</translation>
  </message>
  <message>
   <source>Measure variant</source>
   <translation>Variante messen</translation>
  </message>
  <message>
   <source>Measured</source>
   <translation>Gemessen</translation>
  </message>
  <message>
   <source>Measured image</source>
   <translation>Gemessenes Bild</translation>
  </message>
  <message>
   <source>Measuring</source>
   <translation>Messen</translation>
  </message>
  <message>
   <source>Measuring…</source>
   <translation>Messung läuft…</translation>
  </message>
  <message>
   <source>Median cell area</source>
   <translation>Mittlere Zellfläche (Median)</translation>
  </message>
  <message>
   <source>Memory and preferences…</source>
   <translation>Speicher und Einstellungen…</translation>
  </message>
  <message>
   <source>Memory was released. The next request loads the model again.</source>
   <translation>Der Speicher wurde freigegeben. Der nächste Auftrag lädt das Modell neu.</translation>
  </message>
  <message>
   <source>Merge</source>
   <translation>Fügen</translation>
  </message>
  <message>
   <source>Merge a cell with the selected one (also Alt-click)</source>
   <translation>Eine Zelle mit der ausgewählten verbinden (auch Alt-Klick)</translation>
  </message>
  <message>
   <source>Merge the selected cell with the one you click next (also Shift-click)</source>
   <translation>Die ausgewählte Zelle mit der nächsten angeklickten verbinden (auch Umschalt-Klick)</translation>
  </message>
  <message>
   <source>Model</source>
   <translation>Modell</translation>
  </message>
  <message>
   <source>Model input</source>
   <translation>Modelleingabe</translation>
  </message>
  <message>
   <source>Models</source>
   <translation>Modelle</translation>
  </message>
  <message>
   <source>Models…</source>
   <translation>Modelle…</translation>
  </message>
  <message>
   <source>Moderately positive nuclei</source>
   <translation>Mäßig positive Kerne</translation>
  </message>
  <message>
   <source>More steps take longer and follow the cells better</source>
   <translation>Mehr Schritte dauern länger und folgen den Zellen besser</translation>
  </message>
  <message>
   <source>Most cells stay in position</source>
   <translation>Die meisten Zellen bleiben am Ort</translation>
  </message>
  <message>
   <source>Most cells stay in position, some are new.</source>
   <translation>Die meisten Zellen bleiben am Ort, einige sind neu.</translation>
  </message>
  <message>
   <source>Most cells stay in position. Their appearance changes.</source>
   <translation>Die meisten Zellen bleiben am Ort. Ihr Aussehen ändert sich.</translation>
  </message>
  <message>
   <source>Most rounds in which the wrong nuclei of a variant are generated again</source>
   <translation>Größte Zahl der Runden, in denen die falschen Kerne einer Variante neu erzeugt werden</translation>
  </message>
  <message>
   <source>Most similar to {0}</source>
   <translation>Am ähnlichsten zu {0}</translation>
  </message>
  <message>
   <source>Move right for more cells (minus Cellpose's cell probability)</source>
   <translation>Nach rechts gibt mehr Zellen (Cellposes „cell probability“ mit umgekehrtem Vorzeichen)</translation>
  </message>
  <message>
   <source>Move right to accept irregular shapes (Cellpose)</source>
   <translation>Nach rechts lässt unregelmäßige Formen zu (Cellpose)</translation>
  </message>
  <message>
   <source>Move right to include paler nuclei, left for dark ones</source>
   <translation>Nach rechts nimmt blassere Kerne hinzu, nach links nur dunkle</translation>
  </message>
  <message>
   <source>Move some of the existing cells, remove some, and add some</source>
   <translation>Einige der Zellen verschieben, einige entfernen und einige hinzufügen</translation>
  </message>
  <message>
   <source>Move the mean colour of the tissue to that of the style's tissue</source>
   <translation>Die mittlere Farbe des Gewebes auf die des Stilgewebes verschieben</translation>
  </message>
  <message>
   <source>Move the mean colours of nuclei and of the rest to those of the style's tissue. Without a layout: move the mean colour of all tissue, and adapt its contrast</source>
   <translation>Die mittleren Farben der Kerne und des Übrigen auf die des Stilgewebes verschieben. Ohne Layout: die mittlere Farbe des ganzen Gewebes verschieben und seinen Kontrast anpassen</translation>
  </message>
  <message>
   <source>Name</source>
   <translation>Name</translation>
  </message>
  <message>
   <source>Name of the dataset, stored in its files</source>
   <translation>Name des Datensatzes, der in seinen Dateien steht</translation>
  </message>
  <message>
   <source>Name of your model: letters, digits, “-” and “_”</source>
   <translation>Name Ihres Modells: Buchstaben, Ziffern, „-“ und „_“</translation>
  </message>
  <message>
   <source>Name of your stain: letters, digits, “-” and “_”</source>
   <translation>Name Ihrer Färbung: Buchstaben, Ziffern, „-“ und „_“</translation>
  </message>
  <message>
   <source>Nearly the same image in half the time.</source>
   <translation>Fast dasselbe Bild in der halben Zeit.</translation>
  </message>
  <message>
   <source>New folder for the dataset</source>
   <translation>Neuer Ordner für den Datensatz</translation>
  </message>
  <message>
   <source>Next class</source>
   <translation>Nächste Klasse</translation>
  </message>
  <message>
   <source>Next class of new or selected cells, if the model knows classes (Shift+Q: back)</source>
   <translation>Nächste Klasse neuer oder ausgewählter Zellen, wenn das Modell Klassen kennt (Umschalt+Q: zurück)</translation>
  </message>
  <message>
   <source>No area is marked</source>
   <translation>Es ist kein Bereich markiert</translation>
  </message>
  <message>
   <source>No cell was outlined: drag around free tissue, at least as large as a small nucleus.</source>
   <translation>Es wurde keine Zelle umrissen: Ziehen Sie um freies Gewebe, mindestens so groß wie ein kleiner Kern.</translation>
  </message>
  <message>
   <source>No cells yet</source>
   <translation>Noch keine Zellen</translation>
  </message>
  <message>
   <source>No class</source>
   <translation>Keine Klasse</translation>
  </message>
  <message>
   <source>No decision to redo</source>
   <translation>Keine Entscheidung zum Wiederholen</translation>
  </message>
  <message>
   <source>No decision to undo</source>
   <translation>Keine Entscheidung zum Rückgängigmachen</translation>
  </message>
  <message>
   <source>No encoder: get it, or add a style from features</source>
   <translation>Kein Encoder: holen Sie ihn, oder fügen Sie einen Stil aus Merkmalen hinzu</translation>
  </message>
  <message>
   <source>No image of the grid is ready yet</source>
   <translation>Noch ist kein Bild des Rasters fertig</translation>
  </message>
  <message>
   <source>No layout: the model places the cells</source>
   <translation>Kein Layout: das Modell ordnet die Zellen an</translation>
  </message>
  <message>
   <source>No nuclei are found with this setting. Move the slider back.</source>
   <translation>Mit dieser Einstellung werden keine Kerne gefunden. Schieben Sie den Regler zurück.</translation>
  </message>
  <message>
   <source>No nuclei were found. Paint some, or move the region.</source>
   <translation>Es wurden keine Kerne gefunden. Malen Sie welche, oder verschieben Sie die Region.</translation>
  </message>
  <message>
   <source>No pair is listed: show all pairs</source>
   <translation>Kein Paar ist aufgelistet: zeigen Sie alle Paare</translation>
  </message>
  <message>
   <source>No pair matches. Choose “All pairs” to list them all.</source>
   <translation>Kein Paar passt. „Alle Paare“ zeigt sie alle.</translation>
  </message>
  <message>
   <source>No pairs yet. They appear here as they are generated.</source>
   <translation>Noch keine Paare. Sie erscheinen hier, sobald sie erzeugt sind.</translation>
  </message>
  <message>
   <source>No patch matches. Enter a row such as 1234, or a position such as 5120, 2048.</source>
   <translation>Kein Patch passt. Geben Sie eine Zeile wie 1234 oder eine Position wie 5120, 2048 ein.</translation>
  </message>
  <message>
   <source>No region has a style yet: embed one</source>
   <translation>Noch hat keine Region einen Stil: betten Sie eine ein</translation>
  </message>
  <message>
   <source>No region has cells. Segment or paint some, or select other layouts</source>
   <translation>Keine Region hat Zellen. Segmentieren oder malen Sie welche, oder wählen Sie andere Layouts</translation>
  </message>
  <message>
   <source>No room for a nucleus here.</source>
   <translation>Hier ist kein Platz für einen Kern.</translation>
  </message>
  <message>
   <source>No saved style fits this model. Save one in the Style section</source>
   <translation>Kein gespeicherter Stil passt zu diesem Modell. Speichern Sie einen im Abschnitt Stil</translation>
  </message>
  <message>
   <source>No scores</source>
   <translation>Keine Werte</translation>
  </message>
  <message>
   <source>No slide is open. Open one first.</source>
   <translation>Es ist kein Schnitt offen. Öffnen Sie zuerst einen.</translation>
  </message>
  <message>
   <source>No stains are installed. Each is a small add-on to PixCell-1024.</source>
   <translation>Es sind keine Färbungen installiert. Jede ist ein kleiner Zusatz zu PixCell-1024.</translation>
  </message>
  <message>
   <source>No style yet: embed it</source>
   <translation>Noch kein Stil: betten Sie die Region ein</translation>
  </message>
  <message>
   <source>No style: any tissue</source>
   <translation>Kein Stil: beliebiges Gewebe</translation>
  </message>
  <message>
   <source>No style: the model chooses the tissue</source>
   <translation>Kein Stil: das Modell wählt das Gewebe</translation>
  </message>
  <message>
   <source>Nodes must see the folder under the same path. {0}</source>
   <translation>Die Knoten müssen den Ordner unter demselben Pfad sehen. {0}</translation>
  </message>
  <message>
   <source>None</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>None of the {0} is in this region. They are near x {1}, y {2}.</source>
   <translation>Keine der {0} liegt in dieser Region. Sie liegen bei x {1}, y {2}.</translation>
  </message>
  <message>
   <source>Not embedded</source>
   <translation>Nicht eingebettet</translation>
  </message>
  <message>
   <source>Not enough memory. Close other images and try again.</source>
   <translation>Der Speicher reicht nicht. Schließen Sie andere Bilder und versuchen Sie es erneut.</translation>
  </message>
  <message>
   <source>Not installed</source>
   <translation>Nicht installiert</translation>
  </message>
  <message>
   <source>Not now</source>
   <translation>Nicht jetzt</translation>
  </message>
  <message>
   <source>Not saved: lost at the end of this session</source>
   <translation>Nicht gespeichert: am Ende dieser Sitzung verloren</translation>
  </message>
  <message>
   <source>Nothing changes: every pixel is kept.</source>
   <translation>Nichts ändert sich: jeder Pixel bleibt.</translation>
  </message>
  <message>
   <source>Nothing changes: every pixel of the H&amp;E is kept.</source>
   <translation>Nichts ändert sich: jeder Pixel des H&amp;E bleibt.</translation>
  </message>
  <message>
   <source>Nothing else here resembles {0}</source>
   <translation>Nichts anderes hier ähnelt {0}</translation>
  </message>
  <message>
   <source>Nothing remains: style and layout alone decide.</source>
   <translation>Nichts bleibt: allein Stil und Layout entscheiden.</translation>
  </message>
  <message>
   <source>Nothing runs</source>
   <translation>Nichts läuft</translation>
  </message>
  <message>
   <source>Nothing to redo</source>
   <translation>Nichts zu wiederholen</translation>
  </message>
  <message>
   <source>Nothing to undo</source>
   <translation>Nichts rückgängig zu machen</translation>
  </message>
  <message>
   <source>Nuclei</source>
   <translation>Kerne</translation>
  </message>
  <message>
   <source>Nuclei by DAB · {0}</source>
   <translation>Kerne nach DAB · {0}</translation>
  </message>
  <message>
   <source>Nuclei from</source>
   <translation>Kerne aus</translation>
  </message>
  <message>
   <source>Nuclei missing</source>
   <translation>Fehlende Kerne</translation>
  </message>
  <message>
   <source>Nuclei of class 1+ or higher, as a share of all</source>
   <translation>Kerne der Klasse 1+ oder höher, als Anteil an allen</translation>
  </message>
  <message>
   <source>Nuclei partly placed</source>
   <translation>Teilweise gesetzte Kerne</translation>
  </message>
  <message>
   <source>Nuclei placed</source>
   <translation>Gesetzte Kerne</translation>
  </message>
  <message>
   <source>Number</source>
   <translation>Nummer</translation>
  </message>
  <message>
   <source>Number of cells</source>
   <translation>Zahl der Zellen</translation>
  </message>
  <message>
   <source>Number of images of each style and layout</source>
   <translation>Anzahl der Bilder von jedem Stil und Layout</translation>
  </message>
  <message>
   <source>Number of layouts to invent, with cells like the active region's</source>
   <translation>Anzahl der Layouts, die erfunden werden, mit Zellen wie denen der aktiven Region</translation>
  </message>
  <message>
   <source>Number of nuclei</source>
   <translation>Anzahl der Kerne</translation>
  </message>
  <message>
   <source>Number of processes</source>
   <translation>Anzahl der Prozesse</translation>
  </message>
  <message>
   <source>Number of processes. Each loads the models</source>
   <translation>Anzahl der Prozesse. Jeder lädt die Modelle</translation>
  </message>
  <message>
   <source>Number of seeds from the current one on, as columns</source>
   <translation>Anzahl der Seeds ab dem aktuellen, als Spalten</translation>
  </message>
  <message>
   <source>Number of steps through the blend, as columns</source>
   <translation>Anzahl der Schritte durch die Mischung, als Spalten</translation>
  </message>
  <message>
   <source>Number of steps, both ends included</source>
   <translation>Anzahl der Schritte, beide Enden eingeschlossen</translation>
  </message>
  <message>
   <source>Number of variants, each with its own seed</source>
   <translation>Anzahl der Varianten, jede mit ihrem eigenen Seed</translation>
  </message>
  <message>
   <source>Numbers of the GPUs, such as 1,2. Without any: all but GPU 0, which the window uses</source>
   <translation>Nummern der GPUs, etwa 1,2. Ohne Angabe: alle außer GPU 0, die das Fenster verwendet</translation>
  </message>
  <message>
   <source>OME-TIFF</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>OME-Zarr 0.5: images with their labels</source>
   <translation>OME-Zarr 0.5: Bilder mit ihren Labels</translation>
  </message>
  <message>
   <source>Older variants could not be moved from memory to disk ({0}). Free some disk space, or discard variants.</source>
   <translation>Ältere Varianten konnten nicht auf die Festplatte verschoben werden ({0}). Geben Sie Speicherplatz frei, oder verwerfen Sie Varianten.</translation>
  </message>
  <message>
   <source>On this machine</source>
   <translation>Auf diesem Rechner</translation>
  </message>
  <message>
   <source>One tile. Drag a corner to enlarge it.</source>
   <translation>Eine Kachel. Ziehen Sie an einer Ecke, um sie zu vergrößern.</translation>
  </message>
  <message>
   <source>Only the style follows the tissue. Cells are not in the same positions as in the H&amp;E.</source>
   <translation>Nur der Stil folgt dem Gewebe. Zellen sind nicht an denselben Orten wie im H&amp;E.</translation>
  </message>
  <message>
   <source>Only the training of the generator uses this</source>
   <translation>Nur das Training des Generators verwendet dies</translation>
  </message>
  <message>
   <source>Open Dask's dashboard in the browser</source>
   <translation>Das Dashboard von Dask im Browser öffnen</translation>
  </message>
  <message>
   <source>Open OME-Zarr (folder ending in .zarr)</source>
   <translation>OME-Zarr öffnen (Ordner mit der Endung .zarr)</translation>
  </message>
  <message>
   <source>Open OME-Zarr folder</source>
   <translation>OME-Zarr-Ordner öffnen</translation>
  </message>
  <message>
   <source>Open OME-Zarr folder…</source>
   <translation>OME-Zarr-Ordner öffnen…</translation>
  </message>
  <message>
   <source>Open a Cellpose model</source>
   <translation>Ein Cellpose-Modell öffnen</translation>
  </message>
  <message>
   <source>Open a dataset first</source>
   <translation>Öffnen Sie zuerst einen Datensatz</translation>
  </message>
  <message>
   <source>Open a dataset, or drop its folder here.</source>
   <translation>Öffnen Sie einen Datensatz, oder legen Sie seinen Ordner hier ab.</translation>
  </message>
  <message>
   <source>Open a file of features first.</source>
   <translation>Öffnen Sie zuerst eine Datei mit Merkmalen.</translation>
  </message>
  <message>
   <source>Open a saved session, or drop its folder on this panel.</source>
   <translation>Öffnen Sie eine gespeicherte Sitzung, oder legen Sie ihren Ordner hier ab.</translation>
  </message>
  <message>
   <source>Open a slide first</source>
   <translation>Öffnen Sie zuerst einen Schnitt</translation>
  </message>
  <message>
   <source>Open a slide or an image file. You can also drop it here</source>
   <translation>Einen Schnitt oder eine Bilddatei öffnen. Sie können sie auch hier ablegen</translation>
  </message>
  <message>
   <source>Open a slide whose pixel size is known first</source>
   <translation>Öffnen Sie zuerst einen Schnitt mit bekannter Pixelgröße</translation>
  </message>
  <message>
   <source>Open a slide, or drop one here.</source>
   <translation>Öffnen Sie einen Schnitt, oder legen Sie einen hier ab.</translation>
  </message>
  <message>
   <source>Open a slide…</source>
   <translation>Schnitt öffnen…</translation>
  </message>
  <message>
   <source>Open dataset</source>
   <translation>Datensatz öffnen</translation>
  </message>
  <message>
   <source>Open dataset for review</source>
   <translation>Datensatz zur Durchsicht öffnen</translation>
  </message>
  <message>
   <source>Open dataset…</source>
   <translation>Datensatz öffnen…</translation>
  </message>
  <message>
   <source>Open features…</source>
   <translation>Merkmale öffnen…</translation>
  </message>
  <message>
   <source>Open session</source>
   <translation>Sitzung öffnen</translation>
  </message>
  <message>
   <source>Open session (folder ending in {0})</source>
   <translation>Sitzung öffnen (Ordner mit der Endung {0})</translation>
  </message>
  <message>
   <source>Open session…</source>
   <translation>Sitzung öffnen…</translation>
  </message>
  <message>
   <source>Open slide</source>
   <translation>Schnitt öffnen</translation>
  </message>
  <message>
   <source>Open slide at an address</source>
   <translation>Schnitt an einer Adresse öffnen</translation>
  </message>
  <message>
   <source>Open slide at an address…</source>
   <translation>Schnitt an einer Adresse öffnen…</translation>
  </message>
  <message>
   <source>Open slides and sessions, manage models, preferences</source>
   <translation>Schnitte und Sitzungen öffnen, Modelle verwalten, Einstellungen</translation>
  </message>
  <message>
   <source>Open slide…</source>
   <translation>Schnitt öffnen…</translation>
  </message>
  <message>
   <source>Open the folder of a dataset</source>
   <translation>Den Ordner eines Datensatzes öffnen</translation>
  </message>
  <message>
   <source>Open the page</source>
   <translation>Seite öffnen</translation>
  </message>
  <message>
   <source>Open the sample</source>
   <translation>Beispiel öffnen</translation>
  </message>
  <message>
   <source>Open the small synthetic slide that comes with the plugin</source>
   <translation>Den kleinen synthetischen Schnitt öffnen, der dem Plugin beiliegt</translation>
  </message>
  <message>
   <source>Open this session
{0}</source>
   <translation>Diese Sitzung öffnen
{0}</translation>
  </message>
  <message>
   <source>Opening a dataset</source>
   <translation>Ein Datensatz wird geöffnet</translation>
  </message>
  <message>
   <source>Opening the session…</source>
   <translation>Die Sitzung wird geöffnet…</translation>
  </message>
  <message>
   <source>Opening {0}</source>
   <translation>{0} wird geöffnet</translation>
  </message>
  <message>
   <source>Opening {0}…</source>
   <translation>{0} wird geöffnet…</translation>
  </message>
  <message>
   <source>Outcome</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Outline</source>
   <translation>Umriss</translation>
  </message>
  <message>
   <source>Outlines</source>
   <translation>Umrisse</translation>
  </message>
  <message>
   <source>Overlap beyond chance</source>
   <translation>Überdeckung über den Zufall hinaus</translation>
  </message>
  <message>
   <source>Overlap with its mask</source>
   <translation>Überdeckung mit der Maske</translation>
  </message>
  <message>
   <source>Own model file…</source>
   <translation>Eigene Modelldatei…</translation>
  </message>
  <message>
   <source>PASS</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>PNG</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>PNG (*.png)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>PR</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Paint a new cell with each stroke</source>
   <translation>Mit jedem Strich eine neue Zelle malen</translation>
  </message>
  <message>
   <source>Paint over an area of the region. “Segment nuclei” and “Invent cells” then work there only, and “Invent cells” uses the density chosen here.</source>
   <translation>Einen Bereich der Region übermalen. „Kerne segmentieren“ und „Zellen erfinden“ wirken dann nur dort, „Zellen erfinden“ mit der hier gewählten Dichte.</translation>
  </message>
  <message>
   <source>Paint over the area to regenerate</source>
   <translation>Den Bereich übermalen, der neu erzeugt wird</translation>
  </message>
  <message>
   <source>Paint over the area.</source>
   <translation>Übermalen Sie den Bereich.</translation>
  </message>
  <message>
   <source>Pair {0}</source>
   <translation>Paar {0}</translation>
  </message>
  <message>
   <source>Pair {0} cannot be read. Restore its files from a backup, or resume the dataset.</source>
   <translation>Paar {0} kann nicht gelesen werden. Stellen Sie seine Dateien aus einer Sicherung wieder her, oder setzen Sie den Datensatz fort.</translation>
  </message>
  <message>
   <source>Pairing</source>
   <translation>Zuordnung</translation>
  </message>
  <message>
   <source>Pairs are registered</source>
   <translation>Paare sind registriert</translation>
  </message>
  <message>
   <source>Pairs of the dataset</source>
   <translation>Paare des Datensatzes</translation>
  </message>
  <message>
   <source>Part of the plugin</source>
   <translation>Teil des Plugins</translation>
  </message>
  <message>
   <source>Pass the checks</source>
   <translation>Bestehen die Prüfungen</translation>
  </message>
  <message>
   <source>Patch {0}</source>
   <translation>Patch {0}</translation>
  </message>
  <message>
   <source>Patches</source>
   <translation>Patches</translation>
  </message>
  <message>
   <source>Patches with features</source>
   <translation>Patches mit Merkmalen</translation>
  </message>
  <message>
   <source>Percentage of 1+, plus 2 × that of 2+, plus 3 × that of 3+: 0 to 300</source>
   <translation>Prozentsatz von 1+, plus 2 × dem von 2+, plus 3 × dem von 3+: 0 bis 300</translation>
  </message>
  <message>
   <source>Percentage of cells that are added</source>
   <translation>Prozentsatz der Zellen, die hinzukommen</translation>
  </message>
  <message>
   <source>Percentage of the cells that are removed</source>
   <translation>Prozentsatz der Zellen, die entfernt werden</translation>
  </message>
  <message>
   <source>Pick</source>
   <translation>Wählen</translation>
  </message>
  <message>
   <source>Pick a class first</source>
   <translation>Wählen Sie zuerst eine Klasse</translation>
  </message>
  <message>
   <source>Pick the next class of cells</source>
   <translation>Nächste Zellklasse wählen</translation>
  </message>
  <message>
   <source>Picture</source>
   <translation>Bild</translation>
  </message>
  <message>
   <source>PixCell continues in the background. Open PixCell studio again to see its results.</source>
   <translation>PixCell arbeitet im Hintergrund weiter. Öffnen Sie PixCell studio wieder, um die Ergebnisse zu sehen.</translation>
  </message>
  <message>
   <source>PixCell is done. Open PixCell studio to see its results.</source>
   <translation>PixCell ist fertig. Öffnen Sie PixCell studio, um die Ergebnisse zu sehen.</translation>
  </message>
  <message>
   <source>PixCell keys</source>
   <translation>PixCell-Tasten</translation>
  </message>
  <message>
   <source>PixCell models</source>
   <translation>PixCell-Modelle</translation>
  </message>
  <message>
   <source>PixCell results</source>
   <translation>PixCell-Ergebnisse</translation>
  </message>
  <message>
   <source>PixCell studio</source>
   <translation>PixCell studio</translation>
  </message>
  <message>
   <source>PixCell-1024</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>PixCell-256</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>PixCell-256 with cells</source>
   <translation>PixCell-256 mit Zellen</translation>
  </message>
  <message>
   <source>PixCell: memory and preferences</source>
   <translation>PixCell: Speicher und Einstellungen</translation>
  </message>
  <message>
   <source>Pixel correlation with a real tile</source>
   <translation>Pixelkorrelation mit einer echten Kachel</translation>
  </message>
  <message>
   <source>Pixel size</source>
   <translation>Pixelgröße</translation>
  </message>
  <message>
   <source>Pixel size in µm: about 0.25 for a 40× scan, 0.5 for a 20× scan</source>
   <translation>Pixelgröße in µm: etwa 0,25 bei 40×, 0,5 bei 20×</translation>
  </message>
  <message>
   <source>Pixel size, about 0.25 µm/px for a 40× scan and 0.5 µm/px for a 20× scan</source>
   <translation>Pixelgröße, etwa 0,25 µm/px bei 40× und 0,5 µm/px bei 20×</translation>
  </message>
  <message>
   <source>Place nuclei of real shapes</source>
   <translation>Kerne mit echten Formen setzen</translation>
  </message>
  <message>
   <source>Position of the divider</source>
   <translation>Lage der Trennlinie</translation>
  </message>
  <message>
   <source>Positive</source>
   <translation>Positiv</translation>
  </message>
  <message>
   <source>Published</source>
   <translation>Veröffentlicht</translation>
  </message>
  <message>
   <source>PyQt6</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>PySide6</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>QuPath (*.geojson *.geojson.gz);;Cellpose (*_seg.npy);;Label image (*.tif)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>QuPath project: TIFF images, and their cells as GeoJSON</source>
   <translation>QuPath-Projekt: TIFF-Bilder, und ihre Zellen als GeoJSON</translation>
  </message>
  <message>
   <source>Queue</source>
   <translation>Einreihen</translation>
  </message>
  <message>
   <source>RGB</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Read from the network</source>
   <translation>Aus dem Netz lesen</translation>
  </message>
  <message>
   <source>Read from {0}</source>
   <translation>Lesen von {0}</translation>
  </message>
  <message>
   <source>Read {0}</source>
   <translation>{0} wurde gelesen</translation>
  </message>
  <message>
   <source>Read “{0}” from {1}? Only the parts that you look at are fetched, and nothing is sent but requests for them.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Reading the nuclei</source>
   <translation>Die Kerne werden gelesen</translation>
  </message>
  <message>
   <source>Reading the patch</source>
   <translation>Der Patch wird gelesen</translation>
  </message>
  <message>
   <source>Reading the saved styles…</source>
   <translation>Die gespeicherten Stile werden gelesen…</translation>
  </message>
  <message>
   <source>Real tissue of the region. Click to show it in place.</source>
   <translation>Echtes Gewebe der Region. Klicken Sie, um es an seiner Stelle zu zeigen.</translation>
  </message>
  <message>
   <source>Redo</source>
   <translation>Vor</translation>
  </message>
  <message>
   <source>Redo the last decision (Ctrl+Y)</source>
   <translation>Letzte Entscheidung wiederholen (Strg+Y)</translation>
  </message>
  <message>
   <source>Redo what was undone (Ctrl+Shift+Z)</source>
   <translation>Rückgängig Gemachtes wiederholen (Strg+Umschalt+Z)</translation>
  </message>
  <message>
   <source>Region {0}</source>
   <translation>Region {0}</translation>
  </message>
  <message>
   <source>Region, style, layout and settings of the variants</source>
   <translation>Region, Stil, Layout und Einstellungen der Varianten</translation>
  </message>
  <message>
   <source>Regions</source>
   <translation>Regionen</translation>
  </message>
  <message>
   <source>Reject pair</source>
   <translation>Paar ablehnen</translation>
  </message>
  <message>
   <source>Rejected</source>
   <translation>Abgelehnt</translation>
  </message>
  <message>
   <source>Remove</source>
   <translation>Entfernen</translation>
  </message>
  <message>
   <source>Remove failed and cancelled jobs from the list</source>
   <translation>Fehlgeschlagene und abgebrochene Aufträge aus der Liste entfernen</translation>
  </message>
  <message>
   <source>Remove layout</source>
   <translation>Layout entfernen</translation>
  </message>
  <message>
   <source>Remove nuclei from the masks that stayed partial or missing after the repair</source>
   <translation>Kerne aus den Masken entfernen, die nach der Reparatur unvollständig blieben oder fehlen</translation>
  </message>
  <message>
   <source>Remove nuclei from the masks that the images do not show</source>
   <translation>Kerne aus den Masken entfernen, die die Bilder nicht zeigen</translation>
  </message>
  <message>
   <source>Remove rows</source>
   <translation>Zeilen entfernen</translation>
  </message>
  <message>
   <source>Remove star</source>
   <translation>Stern entfernen</translation>
  </message>
  <message>
   <source>Remove the map and the matches</source>
   <translation>Die Karte und die Treffer entfernen</translation>
  </message>
  <message>
   <source>Remove the marked area</source>
   <translation>Den markierten Bereich entfernen</translation>
  </message>
  <message>
   <source>Remove the selected rows (Delete)</source>
   <translation>Die ausgewählten Zeilen entfernen (Entf)</translation>
  </message>
  <message>
   <source>Remove this job from the list</source>
   <translation>Diesen Auftrag aus der Liste entfernen</translation>
  </message>
  <message>
   <source>Remove this line. The dataset stays as it is</source>
   <translation>Diese Zeile entfernen. Der Datensatz bleibt, wie er ist</translation>
  </message>
  <message>
   <source>Remove this style from the blend</source>
   <translation>Diesen Stil aus der Mischung entfernen</translation>
  </message>
  <message>
   <source>Remove “{0}”</source>
   <translation>„{0}“ entfernen</translation>
  </message>
  <message>
   <source>Rename region</source>
   <translation>Region umbenennen</translation>
  </message>
  <message>
   <source>Rename region…</source>
   <translation>Region umbenennen…</translation>
  </message>
  <message>
   <source>Rename style</source>
   <translation>Stil umbenennen</translation>
  </message>
  <message>
   <source>Rename “{0}”…</source>
   <translation>„{0}“ umbenennen…</translation>
  </message>
  <message>
   <source>Repair needs a layout</source>
   <translation>Die Reparatur braucht ein Layout</translation>
  </message>
  <message>
   <source>Repair nuclei</source>
   <translation>Kerne reparieren</translation>
  </message>
  <message>
   <source>Repair rounds</source>
   <translation>Reparaturrunden</translation>
  </message>
  <message>
   <source>Repair time in s</source>
   <translation>Reparaturzeit in s</translation>
  </message>
  <message>
   <source>Repair works on regions of one tile</source>
   <translation>Die Reparatur arbeitet auf Regionen von einer Kachel</translation>
  </message>
  <message>
   <source>Restore region</source>
   <translation>Region wiederherstellen</translation>
  </message>
  <message>
   <source>Restore style</source>
   <translation>Stil wiederherstellen</translation>
  </message>
  <message>
   <source>Restore {0} regions</source>
   <translation>{0} Regionen wiederherstellen</translation>
  </message>
  <message>
   <source>Resume</source>
   <translation>Fortsetzen</translation>
  </message>
  <message>
   <source>Resume a dataset that was stopped, or follow one that is being made</source>
   <translation>Einen angehaltenen Datensatz fortsetzen, oder einem folgen, der gerade entsteht</translation>
  </message>
  <message>
   <source>Resume dataset…</source>
   <translation>Datensatz fortsetzen…</translation>
  </message>
  <message>
   <source>Resume jobs</source>
   <translation>Aufträge fortsetzen</translation>
  </message>
  <message>
   <source>Retry</source>
   <translation>Erneut versuchen</translation>
  </message>
  <message>
   <source>Retry the remaining variants</source>
   <translation>Die übrigen Varianten erneut versuchen</translation>
  </message>
  <message>
   <source>Reverse the order</source>
   <translation>Reihenfolge umkehren</translation>
  </message>
  <message>
   <source>Review pairs</source>
   <translation>Paare durchsehen</translation>
  </message>
  <message>
   <source>Review pairs…</source>
   <translation>Paare durchsehen…</translation>
  </message>
  <message>
   <source>Row</source>
   <translation>Zeile</translation>
  </message>
  <message>
   <source>Row, or position: x, y</source>
   <translation>Zeile, oder Position: x, y</translation>
  </message>
  <message>
   <source>Run all checks on this machine</source>
   <translation>Alle Prüfungen auf diesem Rechner ausführen</translation>
  </message>
  <message>
   <source>Run {0} next</source>
   <translation>{0} als Nächstes ausführen</translation>
  </message>
  <message>
   <source>SECTION</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>SYNTHETIC tissue, not real. {0}. For research use only.</source>
   <translation>SYNTHETISCHES Gewebe, nicht echt. {0}. Nur für die Forschung.</translation>
  </message>
  <message>
   <source>Saturated pixels</source>
   <translation>Gesättigte Pixel</translation>
  </message>
  <message>
   <source>Save as PNG…</source>
   <translation>Als PNG speichern…</translation>
  </message>
  <message>
   <source>Save image</source>
   <translation>Bild speichern</translation>
  </message>
  <message>
   <source>Save image…</source>
   <translation>Bild speichern…</translation>
  </message>
  <message>
   <source>Save layout</source>
   <translation>Layout speichern</translation>
  </message>
  <message>
   <source>Save layout for other tools</source>
   <translation>Layout für andere Programme speichern</translation>
  </message>
  <message>
   <source>Save nuclei</source>
   <translation>Kerne speichern</translation>
  </message>
  <message>
   <source>Save nuclei…</source>
   <translation>Kerne speichern…</translation>
  </message>
  <message>
   <source>Save report</source>
   <translation>Bericht speichern</translation>
  </message>
  <message>
   <source>Save report…</source>
   <translation>Bericht speichern…</translation>
  </message>
  <message>
   <source>Save session as</source>
   <translation>Sitzung speichern unter</translation>
  </message>
  <message>
   <source>Save session as: Open a slide first</source>
   <translation>Sitzung speichern unter: Öffnen Sie zuerst einen Schnitt</translation>
  </message>
  <message>
   <source>Save session as…</source>
   <translation>Sitzung speichern unter…</translation>
  </message>
  <message>
   <source>Save sheet</source>
   <translation>Übersicht speichern</translation>
  </message>
  <message>
   <source>Save style</source>
   <translation>Stil speichern</translation>
  </message>
  <message>
   <source>Save table</source>
   <translation>Tabelle speichern</translation>
  </message>
  <message>
   <source>Save table…</source>
   <translation>Tabelle speichern…</translation>
  </message>
  <message>
   <source>Save the DAB of each nucleus of the selected row</source>
   <translation>Das DAB jedes Kerns der ausgewählten Zeile speichern</translation>
  </message>
  <message>
   <source>Save the layout as QuPath GeoJSON, for Cellpose, or as TIFF</source>
   <translation>Das Layout als QuPath-GeoJSON, für Cellpose oder als TIFF speichern</translation>
  </message>
  <message>
   <source>Save the sheet as an image</source>
   <translation>Die Übersicht als Bild speichern</translation>
  </message>
  <message>
   <source>Save the style of the patch by name</source>
   <translation>Den Stil des Patches unter einem Namen speichern</translation>
  </message>
  <message>
   <source>Save the table and its thresholds</source>
   <translation>Die Tabelle und ihre Schwellen speichern</translation>
  </message>
  <message>
   <source>Save the table as JSON, to attach it to a report</source>
   <translation>Die Tabelle als JSON speichern, um sie einer Meldung beizulegen</translation>
  </message>
  <message>
   <source>Save this style by name, for any region and slide</source>
   <translation>Diesen Stil unter einem Namen speichern, für jede Region und jeden Schnitt</translation>
  </message>
  <message>
   <source>Save work on this slide automatically</source>
   <translation>Arbeit an diesem Schnitt automatisch speichern</translation>
  </message>
  <message>
   <source>Saved as “{0}”, for any region of any slide.</source>
   <translation>Als „{0}“ gespeichert, für jede Region jedes Schnitts.</translation>
  </message>
  <message>
   <source>Saved sessions</source>
   <translation>Gespeicherte Sitzungen</translation>
  </message>
  <message>
   <source>Saved styles have no tissue to segment. Select other layouts</source>
   <translation>Gespeicherte Stile haben kein Gewebe zum Segmentieren. Wählen Sie andere Layouts</translation>
  </message>
  <message>
   <source>Saved {0}</source>
   <translation>{0} wurde gespeichert</translation>
  </message>
  <message>
   <source>Saver</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Save…</source>
   <translation>Speichern…</translation>
  </message>
  <message>
   <source>Search a folder of your own for weights first</source>
   <translation>Zuerst in einem eigenen Ordner nach Gewichten suchen</translation>
  </message>
  <message>
   <source>Search the file for patches like the one chosen last; nothing is embedded</source>
   <translation>In der Datei Patches suchen, die dem zuletzt gewählten ähneln; nichts wird eingebettet</translation>
  </message>
  <message>
   <source>Search the slide for tissue like the active region's, and map the similarity</source>
   <translation>Den Schnitt nach Gewebe absuchen, das dem der aktiven Region ähnelt, und die Ähnlichkeit als Karte zeigen</translation>
  </message>
  <message>
   <source>Searching… {0} of {1} positions{2}</source>
   <translation>Suche… {0} von {1} Stellen{2}</translation>
  </message>
  <message>
   <source>Second style</source>
   <translation>Zweiter Stil</translation>
  </message>
  <message>
   <source>Seed</source>
   <translation>Seed</translation>
  </message>
  <message>
   <source>Seed of the first variant. It reproduces an image exactly.</source>
   <translation>Seed der ersten Variante. Er erzeugt ein Bild genau wieder.</translation>
  </message>
  <message>
   <source>Seed of the layout. It reproduces the cells and advances after each.</source>
   <translation>Seed des Layouts. Er erzeugt die Zellen genau wieder und rückt nach jedem Layout vor.</translation>
  </message>
  <message>
   <source>Seeds</source>
   <translation>Seeds</translation>
  </message>
  <message>
   <source>Segment and invent cells in part of the region only</source>
   <translation>Nur in einem Teil der Region segmentieren und Zellen erfinden</translation>
  </message>
  <message>
   <source>Segment nuclei</source>
   <translation>Kerne segmentieren</translation>
  </message>
  <message>
   <source>Segment nuclei in the active region</source>
   <translation>Kerne in der aktiven Region segmentieren</translation>
  </message>
  <message>
   <source>Segment the nuclei of the region or its marked area, as an editable layer</source>
   <translation>Die Kerne der Region oder ihres markierten Bereichs segmentieren, als Ebene zum Bearbeiten</translation>
  </message>
  <message>
   <source>Segment the nuclei of the region: they become its layout</source>
   <translation>Die Kerne der Region segmentieren: sie werden ihr Layout</translation>
  </message>
  <message>
   <source>Segmentation method of “Segment nuclei”</source>
   <translation>Methode von „Kerne segmentieren“</translation>
  </message>
  <message>
   <source>Segmenting nuclei</source>
   <translation>Kerne werden segmentiert</translation>
  </message>
  <message>
   <source>Segmenting nuclei…</source>
   <translation>Kerne werden segmentiert…</translation>
  </message>
  <message>
   <source>Segments the cells of a region for its layout</source>
   <translation>Segmentiert die Zellen einer Region für ihr Layout</translation>
  </message>
  <message>
   <source>Select</source>
   <translation>Auswahl</translation>
  </message>
  <message>
   <source>Select a cell first</source>
   <translation>Wählen Sie zuerst eine Zelle</translation>
  </message>
  <message>
   <source>Select a folder of images and masks</source>
   <translation>Wählen Sie einen Ordner mit Bildern und Masken</translation>
  </message>
  <message>
   <source>Select a model first</source>
   <translation>Wählen Sie zuerst ein Modell</translation>
  </message>
  <message>
   <source>Select a patch first</source>
   <translation>Wählen Sie zuerst einen Patch</translation>
  </message>
  <message>
   <source>Select a stain</source>
   <translation>Wählen Sie eine Färbung</translation>
  </message>
  <message>
   <source>Select it in the Layout section</source>
   <translation>Wählen Sie es im Abschnitt Layout</translation>
  </message>
  <message>
   <source>Select model</source>
   <translation>Modell auswählen</translation>
  </message>
  <message>
   <source>Select the folder of {0}, or two regions</source>
   <translation>Wählen Sie den Ordner mit {0}, oder zwei Regionen</translation>
  </message>
  <message>
   <source>Sensitivity</source>
   <translation>Empfindlichkeit</translation>
  </message>
  <message>
   <source>Sensitivity and sizes: they adjust the result without another segmentation</source>
   <translation>Empfindlichkeit und Größen: Sie passen das Ergebnis an, ohne neu zu segmentieren</translation>
  </message>
  <message>
   <source>Series, more styles</source>
   <translation>Reihe, weitere Stile</translation>
  </message>
  <message>
   <source>Sessions (*{0})</source>
   <translation>Sitzungen (*{0})</translation>
  </message>
  <message>
   <source>Set all</source>
   <translation>Alle setzen</translation>
  </message>
  <message>
   <source>Set pixel size</source>
   <translation>Pixelgröße setzen</translation>
  </message>
  <message>
   <source>Set the pixel size</source>
   <translation>Pixelgröße setzen</translation>
  </message>
  <message>
   <source>Set the pixel size and remember it for this file</source>
   <translation>Die Pixelgröße setzen und für diese Datei merken</translation>
  </message>
  <message>
   <source>Set the pixel size first</source>
   <translation>Setzen Sie zuerst die Pixelgröße</translation>
  </message>
  <message>
   <source>Set the pixel size of the slide to see the patches on it.</source>
   <translation>Setzen Sie die Pixelgröße des Schnitts, um die Patches darauf zu sehen.</translation>
  </message>
  <message>
   <source>Shapes and cells stay. Colours and fine texture change.</source>
   <translation>Formen und Zellen bleiben. Farben und feine Textur ändern sich.</translation>
  </message>
  <message>
   <source>Shapes of the nuclei: bundled ones, or those of a region</source>
   <translation>Formen der Kerne: mitgelieferte, oder die einer Region</translation>
  </message>
  <message>
   <source>Share of the tissue area at 1+ or higher</source>
   <translation>Anteil der Gewebefläche mit 1+ oder höher</translation>
  </message>
  <message>
   <source>Share of this style in the blend</source>
   <translation>Anteil dieses Stils an der Mischung</translation>
  </message>
  <message>
   <source>Sharpness</source>
   <translation>Schärfe</translation>
  </message>
  <message>
   <source>Sheet of {0}</source>
   <translation>Übersicht von {0}</translation>
  </message>
  <message>
   <source>Shift</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Shift-Q</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Shift-click</source>
   <translation>Umschalt-Klick</translation>
  </message>
  <message>
   <source>Show a variant first.</source>
   <translation>Zeigen Sie zuerst eine Variante.</translation>
  </message>
  <message>
   <source>Show a variant of this region first</source>
   <translation>Zeigen Sie zuerst eine Variante dieser Region</translation>
  </message>
  <message>
   <source>Show a variant to start from</source>
   <translation>Zeigen Sie eine Variante, mit der begonnen wird</translation>
  </message>
  <message>
   <source>Show cells as outlines or filled</source>
   <translation>Zellen als Umrisse oder gefüllt zeigen</translation>
  </message>
  <message>
   <source>Show each image while it is denoised</source>
   <translation>Jedes Bild zeigen, während es entrauscht wird</translation>
  </message>
  <message>
   <source>Show first pairs</source>
   <translation>Erste Paare zeigen</translation>
  </message>
  <message>
   <source>Show image and mask as layers in µm (Enter)</source>
   <translation>Bild und Maske als Ebenen in µm zeigen (Eingabetaste)</translation>
  </message>
  <message>
   <source>Show in viewer</source>
   <translation>Im Betrachter zeigen</translation>
  </message>
  <message>
   <source>Show keys</source>
   <translation>Tasten anzeigen</translation>
  </message>
  <message>
   <source>Show model input</source>
   <translation>Modelleingabe zeigen</translation>
  </message>
  <message>
   <source>Show or hide mask outlines</source>
   <translation>Maskenumrisse ein- oder ausblenden</translation>
  </message>
  <message>
   <source>Show or hide model input</source>
   <translation>Modelleingabe ein- oder ausblenden</translation>
  </message>
  <message>
   <source>Show or hide the selected layer</source>
   <translation>Ausgewählte Ebene ein- oder ausblenden</translation>
  </message>
  <message>
   <source>Show pair in the viewer</source>
   <translation>Paar im Betrachter zeigen</translation>
  </message>
  <message>
   <source>Show previews</source>
   <translation>Vorschau zeigen</translation>
  </message>
  <message>
   <source>Show sheet</source>
   <translation>Übersicht zeigen</translation>
  </message>
  <message>
   <source>Show sheet ({0} of {1})</source>
   <translation>Übersicht zeigen ({0} von {1})</translation>
  </message>
  <message>
   <source>Show size and licence first</source>
   <translation>Erst Größe und Lizenz zeigen</translation>
  </message>
  <message>
   <source>Show the H&amp;E and its stains side by side</source>
   <translation>H&amp;E und Färbungen nebeneinander zeigen</translation>
  </message>
  <message>
   <source>Show the classes as a layer. Hover over a nucleus for its DAB.</source>
   <translation>Die Klassen als Ebene zeigen. Der Zeiger über einem Kern nennt sein DAB.</translation>
  </message>
  <message>
   <source>Show the conditioning image: cells {0} on black, touching ones one pixel apart</source>
   <translation>Das Bild zeigen, das das Modell sieht: Zellen {0} auf schwarz, berührende einen Pixel getrennt</translation>
  </message>
  <message>
   <source>Show the first pairs with cell outlines</source>
   <translation>Die ersten Paare mit Zellumrissen zeigen</translation>
  </message>
  <message>
   <source>Show the images side by side, with their settings</source>
   <translation>Die Bilder mit ihren Einstellungen nebeneinander zeigen</translation>
  </message>
  <message>
   <source>Show the original tissue while held</source>
   <translation>Das Original zeigen, solange gedrückt</translation>
  </message>
  <message>
   <source>Show the outlines first (M)</source>
   <translation>Zeigen Sie zuerst die Umrisse (M)</translation>
  </message>
  <message>
   <source>Show the outlines of the mask on the images (M)</source>
   <translation>Die Umrisse der Maske auf den Bildern zeigen (M)</translation>
  </message>
  <message>
   <source>Show the patches on the slide</source>
   <translation>Die Patches auf dem Schnitt zeigen</translation>
  </message>
  <message>
   <source>Show the similarity on the slide: bright yellow is like the region, dark is average or below, background stays clear</source>
   <translation>Die Ähnlichkeit auf dem Schnitt zeigen: hellgelb ist wie die Region, dunkel durchschnittlich oder darunter, Hintergrund bleibt frei</translation>
  </message>
  <message>
   <source>Show this variant of the region's newest job</source>
   <translation>Diese Variante des neuesten Auftrags der Region zeigen</translation>
  </message>
  <message>
   <source>Show…</source>
   <translation>Zeigen…</translation>
  </message>
  <message>
   <source>Shrink</source>
   <translation>Kleiner</translation>
  </message>
  <message>
   <source>Shrink or enlarge the brush (while painting)</source>
   <translation>Pinsel verkleinern oder vergrößern (beim Malen)</translation>
  </message>
  <message>
   <source>Shrink the selected cell by a pixel</source>
   <translation>Die ausgewählte Zelle um einen Pixel schrumpfen</translation>
  </message>
  <message>
   <source>Similar tissue</source>
   <translation>Ähnliches Gewebe</translation>
  </message>
  <message>
   <source>Similar tissue · {0}</source>
   <translation>Ähnliches Gewebe · {0}</translation>
  </message>
  <message>
   <source>Similarity to a real tile</source>
   <translation>Ähnlichkeit mit einer echten Kachel</translation>
  </message>
  <message>
   <source>Similarity to its style</source>
   <translation>Ähnlichkeit mit dem Stil</translation>
  </message>
  <message>
   <source>Size</source>
   <translation>Größe</translation>
  </message>
  <message>
   <source>Size variation</source>
   <translation>Größenstreuung</translation>
  </message>
  <message>
   <source>Sizes</source>
   <translation>Größen</translation>
  </message>
  <message>
   <source>Sizes of the caches, previews and automatic saving: File → Preferences → PixCell studio.</source>
   <translation>Größen der Zwischenspeicher, Vorschau und automatisches Speichern: File → Preferences → PixCell studio.</translation>
  </message>
  <message>
   <source>Slides and images (*.svs *.ndpi *.mrxs *.scn *.bif *.vms *.vmu *.svslide *.dcm *.tif *.tiff *.png *.jpg *.jpeg zarr.json .zattrs);;All files (*)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Smaller cells are removed</source>
   <translation>Kleinere Zellen werden entfernt</translation>
  </message>
  <message>
   <source>Smallest area</source>
   <translation>Kleinste Fläche</translation>
  </message>
  <message>
   <source>Soft border</source>
   <translation>Weicher Rand</translation>
  </message>
  <message>
   <source>Some cached embeddings could not be removed. Check the cache folder.</source>
   <translation>Einige gespeicherte Einbettungen konnten nicht gelöscht werden. Prüfen Sie den Ordner des Zwischenspeichers.</translation>
  </message>
  <message>
   <source>Some cells stay in position, most are new.</source>
   <translation>Einige Zellen bleiben am Ort, die meisten sind neu.</translation>
  </message>
  <message>
   <source>Sort pairs by</source>
   <translation>Paare sortieren nach</translation>
  </message>
  <message>
   <source>Source of the layouts</source>
   <translation>Herkunft der Layouts</translation>
  </message>
  <message>
   <source>Source of the nuclei: the layout, or a segmentation of the image</source>
   <translation>Herkunft der Kerne: das Layout, oder eine Segmentierung des Bildes</translation>
  </message>
  <message>
   <source>Source of the styles</source>
   <translation>Herkunft der Stile</translation>
  </message>
  <message>
   <source>Spacing of nuclei along a stroke</source>
   <translation>Abstand der Kerne entlang eines Strichs</translation>
  </message>
  <message>
   <source>SpatialData: images, labels, and a table of each cell's measurements</source>
   <translation>SpatialData: Bilder, Labels, und eine Tabelle mit den Messungen jeder Zelle</translation>
  </message>
  <message>
   <source>Speed</source>
   <translation>Tempo</translation>
  </message>
  <message>
   <source>Split</source>
   <translation>Teilen</translation>
  </message>
  <message>
   <source>Stability AI Community Licence (SD3 VAE)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Stain &amp;&amp; measure</source>
   <translation>Färben &amp;&amp; messen</translation>
  </message>
  <message>
   <source>Stain region</source>
   <translation>Region färben</translation>
  </message>
  <message>
   <source>Staining is running</source>
   <translation>Es wird gefärbt</translation>
  </message>
  <message>
   <source>Stains start from</source>
   <translation>Womit Färbungen beginnen</translation>
  </message>
  <message>
   <source>Stamp</source>
   <translation>Stempel</translation>
  </message>
  <message>
   <source>Star</source>
   <translation>Stern</translation>
  </message>
  <message>
   <source>Star or unstar the visible variant</source>
   <translation>Sichtbare Variante mit Stern versehen oder Stern entfernen</translation>
  </message>
  <message>
   <source>Star or unstar variant</source>
   <translation>Variante mit Stern versehen oder Stern entfernen</translation>
  </message>
  <message>
   <source>Star these stains, so that each has a layer of its own</source>
   <translation>Diesen Färbungen einen Stern geben, so dass jede eine eigene Ebene hat</translation>
  </message>
  <message>
   <source>Star {0}</source>
   <translation>{0} mit Stern</translation>
  </message>
  <message>
   <source>StarDist: folders images and masks, TIFF</source>
   <translation>StarDist: Ordner images und masks, TIFF</translation>
  </message>
  <message>
   <source>Starred only (★)</source>
   <translation>Nur mit Stern (★)</translation>
  </message>
  <message>
   <source>Start from</source>
   <translation>Beginnen mit</translation>
  </message>
  <message>
   <source>Starting the processes</source>
   <translation>Die Prozesse werden gestartet</translation>
  </message>
  <message>
   <source>Star{0}</source>
   <translation>Stern{0}</translation>
  </message>
  <message>
   <source>State</source>
   <translation>Zustand</translation>
  </message>
  <message>
   <source>Steps</source>
   <translation>Schritte</translation>
  </message>
  <message>
   <source>StonyBrook-CVLab/PixCell-1024</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>StonyBrook-CVLab/PixCell-256</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>StonyBrook-CVLab/PixCell-256-Cell-ControlNet</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>StonyBrook-CVLab/pixcell-virtual-staining</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Stop blending</source>
   <translation>Nicht mehr mischen</translation>
  </message>
  <message>
   <source>Stop it</source>
   <translation>Anhalten</translation>
  </message>
  <message>
   <source>Stop making this dataset. Complete pairs are kept</source>
   <translation>Diesen Datensatz nicht weiter erzeugen. Fertige Paare bleiben</translation>
  </message>
  <message>
   <source>Stop the checks</source>
   <translation>Die Prüfungen anhalten</translation>
  </message>
  <message>
   <source>Stop the training and keep its state (Esc)</source>
   <translation>Das Training anhalten und seinen Stand behalten (Esc)</translation>
  </message>
  <message>
   <source>Stop the trainings. Those that are finished are kept</source>
   <translation>Die Trainings anhalten. Die fertigen bleiben erhalten</translation>
  </message>
  <message>
   <source>Stop the worker process and free its memory. The next request loads the model again.</source>
   <translation>Den Arbeitsprozess anhalten und seinen Speicher freigeben. Der nächste Auftrag lädt das Modell neu.</translation>
  </message>
  <message>
   <source>Stop; a later download resumes</source>
   <translation>Anhalten; ein späterer Download geht weiter</translation>
  </message>
  <message>
   <source>Stopped at {0} %. Generate again with the same settings to resume.</source>
   <translation>Angehalten bei {0} %. Erzeugen Sie mit denselben Einstellungen erneut, um fortzusetzen.</translation>
  </message>
  <message>
   <source>Store the decisions that could not be stored</source>
   <translation>Die Entscheidungen speichern, die nicht gespeichert werden konnten</translation>
  </message>
  <message>
   <source>Strength of the change</source>
   <translation>Stärke der Änderung</translation>
  </message>
  <message>
   <source>Strongly positive nuclei</source>
   <translation>Stark positive Kerne</translation>
  </message>
  <message>
   <source>Studio menu</source>
   <translation>Studio-Menü</translation>
  </message>
  <message>
   <source>Style</source>
   <translation>Stil</translation>
  </message>
  <message>
   <source>Style from an image</source>
   <translation>Stil aus einem Bild</translation>
  </message>
  <message>
   <source>Style from image: Add a region first</source>
   <translation>Stil aus Bild: Fügen Sie zuerst eine Region hinzu</translation>
  </message>
  <message>
   <source>Style menu</source>
   <translation>Stil-Menü</translation>
  </message>
  <message>
   <source>Styles</source>
   <translation>Stile</translation>
  </message>
  <message>
   <source>Styles from features</source>
   <translation>Stile aus Merkmalen</translation>
  </message>
  <message>
   <source>Swipe</source>
   <translation>Wischen</translation>
  </message>
  <message>
   <source>Swipe against visible variant</source>
   <translation>Gegen die sichtbare Variante wischen</translation>
  </message>
  <message>
   <source>Switch live preview on or off</source>
   <translation>Live-Vorschau ein- oder ausschalten</translation>
  </message>
  <message>
   <source>Switch swipe between tissue and variant on or off</source>
   <translation>Wischvergleich von Gewebe und Variante ein- oder ausschalten</translation>
  </message>
  <message>
   <source>Switch “Swipe” on first</source>
   <translation>Schalten Sie zuerst „Wischen“ ein</translation>
  </message>
  <message>
   <source>Synthetic</source>
   <translation>Synthetisch</translation>
  </message>
  <message>
   <source>Synthetic cells · {0}</source>
   <translation>Synthetische Zellen · {0}</translation>
  </message>
  <message>
   <source>Synthetic extra nuclei · {0}</source>
   <translation>Synthetische überzählige Kerne · {0}</translation>
  </message>
  <message>
   <source>Synthetic preview</source>
   <translation>Synthetische Vorschau</translation>
  </message>
  <message>
   <source>Synthetic {0}</source>
   <translation>Synthetisch {0}</translation>
  </message>
  <message>
   <source>Synthetic · {0}</source>
   <translation>Synthetisch · {0}</translation>
  </message>
  <message>
   <source>Synthetic: a virtual stain generated by PixCell, not a real one. Its cells may not match those of the H&amp;E. For research use only, not for diagnosis</source>
   <translation>Synthetisch: eine von PixCell erzeugte virtuelle Färbung, keine echte. Ihre Zellen müssen nicht denen des H&amp;E entsprechen. Nur für die Forschung, nicht für die Diagnostik</translation>
  </message>
  <message>
   <source>Synthetic: generated by PixCell. For research use only, not for diagnosis</source>
   <translation>Synthetisch: von PixCell erzeugt. Nur für die Forschung, nicht für die Diagnostik</translation>
  </message>
  <message>
   <source>Table (*.csv)</source>
   <translation>Tabelle (*.csv)</translation>
  </message>
  <message>
   <source>Take styles from patches that TRIDENT or CLAM embedded</source>
   <translation>Stile aus Patches, die TRIDENT oder CLAM eingebettet hat</translation>
  </message>
  <message>
   <source>Task</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Tasks</source>
   <translation>Aufgaben</translation>
  </message>
  <message>
   <source>Template</source>
   <translation>Vorlage</translation>
  </message>
  <message>
   <source>The blend contains all styles</source>
   <translation>Die Mischung enthält schon alle Stile</translation>
  </message>
  <message>
   <source>The cache is empty</source>
   <translation>Der Zwischenspeicher ist leer</translation>
  </message>
  <message>
   <source>The cell is not in this region. It is near x {0}, y {1}.</source>
   <translation>Die Zelle liegt nicht in dieser Region. Sie liegt bei x {0}, y {1}.</translation>
  </message>
  <message>
   <source>The cells were edited since. These settings apply to the next segmentation.</source>
   <translation>Die Zellen wurden seither bearbeitet. Diese Einstellungen gelten für die nächste Segmentierung.</translation>
  </message>
  <message>
   <source>The check stopped. What was downloaded is kept.</source>
   <translation>Die Prüfung wurde angehalten. Was heruntergeladen ist, bleibt.</translation>
  </message>
  <message>
   <source>The classes are being read: {0} of {1} masks</source>
   <translation>Die Klassen werden gelesen: {0} von {1} Masken</translation>
  </message>
  <message>
   <source>The dataset has no pairs yet</source>
   <translation>Der Datensatz hat noch keine Paare</translation>
  </message>
  <message>
   <source>The dataset has no style. Add a region, a picture or a saved style.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The dataset is busy</source>
   <translation>Der Datensatz wird gerade bearbeitet</translation>
  </message>
  <message>
   <source>The dataset would have {0} pairs, more than {1}. Choose fewer styles, layouts or seeds, or a number of random pairs.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The demo did not finish within {0} min. See worker.log.</source>
   <translation>Die Demo wurde in {0} min nicht fertig. Siehe worker.log.</translation>
  </message>
  <message>
   <source>The embedding cache was cleared. Saved styles stay.</source>
   <translation>Die gespeicherten Einbettungen wurden gelöscht. Gespeicherte Stile bleiben.</translation>
  </message>
  <message>
   <source>The encoder of {0} is missing. Get it in the model manager, or add styles from a file of features.</source>
   <translation>Der Encoder von {0} fehlt. Holen Sie ihn in der Modellverwaltung, oder fügen Sie Stile aus einer Datei mit Merkmalen hinzu.</translation>
  </message>
  <message>
   <source>The evaluation is under way</source>
   <translation>Die Auswertung läuft</translation>
  </message>
  <message>
   <source>The evaluation stopped. Start it again to resume.</source>
   <translation>Die Auswertung wurde angehalten. Ein neuer Start setzt sie fort.</translation>
  </message>
  <message>
   <source>The export is running</source>
   <translation>Der Export läuft</translation>
  </message>
  <message>
   <source>The features of the session are damaged: {0}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The file states no pixel size. Enter it once; it is remembered.</source>
   <translation>Die Datei nennt keine Pixelgröße. Geben Sie sie einmal ein; sie wird gemerkt.</translation>
  </message>
  <message>
   <source>The folder holds no pairs</source>
   <translation>Der Ordner enthält keine Paare</translation>
  </message>
  <message>
   <source>The folder of the slide is read-only. Your work is saved as “{0}” in your own folder. The ⋯ menu shows the path.</source>
   <translation>Der Ordner des Schnitts ist schreibgeschützt. Ihre Arbeit wird als „{0}“ in Ihrem eigenen Ordner gespeichert. Das Menü ⋯ nennt den Pfad.</translation>
  </message>
  <message>
   <source>The folder was checked and imported.</source>
   <translation>Der Ordner wurde geprüft und importiert.</translation>
  </message>
  <message>
   <source>The folder “{0}” exists already. Choose another name.</source>
   <translation>Den Ordner „{0}“ gibt es schon. Wählen Sie einen anderen Namen.</translation>
  </message>
  <message>
   <source>The folders hold no pairs</source>
   <translation>Die Ordner enthalten keine Paare</translation>
  </message>
  <message>
   <source>The image that the generation starts from</source>
   <translation>Das Bild, mit dem die Erzeugung beginnt</translation>
  </message>
  <message>
   <source>The images have masks</source>
   <translation>Die Bilder haben Masken</translation>
  </message>
  <message>
   <source>The images of a pair match to the pixel, so the stain learns to keep the cells</source>
   <translation>Die Bilder eines Paares decken sich auf den Pixel, so lernt die Färbung, die Zellen zu erhalten</translation>
  </message>
  <message>
   <source>The largest cell area is {0} µm², but the smallest is {1} µm². Choose a larger one.</source>
   <translation>Die größte Zellfläche ist {0} µm², die kleinste aber {1} µm². Wählen Sie eine größere.</translation>
  </message>
  <message>
   <source>The largest cell area is {0} µm². Choose more than 0, or omit it.</source>
   <translation>Die größte Zellfläche ist {0} µm². Wählen Sie mehr als 0, oder lassen Sie sie weg.</translation>
  </message>
  <message>
   <source>The layout</source>
   <translation>Das Layout</translation>
  </message>
  <message>
   <source>The layout has no cells to vary</source>
   <translation>Das Layout hat keine Zellen zum Variieren</translation>
  </message>
  <message>
   <source>The layout has no cells. Paint some, press “Segment nuclei”, or choose “No layout”.</source>
   <translation>Das Layout hat keine Zellen. Malen Sie welche, drücken Sie „Kerne segmentieren“, oder wählen Sie „Kein Layout“.</translation>
  </message>
  <message>
   <source>The layout has no cells: paint some</source>
   <translation>Das Layout hat keine Zellen: malen Sie welche</translation>
  </message>
  <message>
   <source>The layout has {0} cells, more than {1}. Use a smaller region or remove cells.</source>
   <translation>Das Layout hat {0} Zellen, mehr als {1}. Verwenden Sie eine kleinere Region, oder entfernen Sie Zellen.</translation>
  </message>
  <message>
   <source>The layout is {0} but the region needs {1}. Create or import a layout of the region's size.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The masks name a class for each cell, such as tumour or lymphocyte, and the model learns what each looks like</source>
   <translation>Die Masken nennen für jede Zelle eine Klasse, etwa Tumor oder Lymphozyt, und das Modell lernt, wie jede aussieht</translation>
  </message>
  <message>
   <source>The masks name no classes. Use files that do, such as GeoJSON of QuPath</source>
   <translation>Die Masken nennen keine Klassen. Verwenden Sie Dateien mit Klassen, etwa GeoJSON von QuPath</translation>
  </message>
  <message>
   <source>The model that it extends; its licence applies</source>
   <translation>Das Modell, das es erweitert; seine Lizenz gilt</translation>
  </message>
  <message>
   <source>The model that the stain extends; its licence applies</source>
   <translation>Das Modell, das die Färbung erweitert; seine Lizenz gilt</translation>
  </message>
  <message>
   <source>The nuclei are being segmented.</source>
   <translation>Die Kerne werden segmentiert.</translation>
  </message>
  <message>
   <source>The numbers are those of {0}. Press “Invent cells”.</source>
   <translation>Die Werte sind die von {0}. Drücken Sie „Zellen erfinden“.</translation>
  </message>
  <message>
   <source>The pair is being written</source>
   <translation>Das Paar wird geschrieben</translation>
  </message>
  <message>
   <source>The patches are hidden. “Pick” shows them again.</source>
   <translation>Die Patches sind ausgeblendet. „Wählen“ zeigt sie wieder.</translation>
  </message>
  <message>
   <source>The patches do not fit this slide. Open their own slide, or choose a patch in the list.</source>
   <translation>Die Patches passen nicht zu diesem Schnitt. Öffnen Sie ihren Schnitt, oder wählen Sie einen Patch in der Liste.</translation>
  </message>
  <message>
   <source>The patches of “{0}” here hold no numbers. Choose others.</source>
   <translation>Die Patches von „{0}“ enthalten hier keine Zahlen. Wählen Sie andere.</translation>
  </message>
  <message>
   <source>The picture is larger than {0} × {1} px, the most that is measured at once. Choose a smaller region.</source>
   <translation>Das Bild ist größer als {0} × {1} px, die Grenze für eine Messung. Wählen Sie eine kleinere Region.</translation>
  </message>
  <message>
   <source>The picture is too large for the divider. Hold H to see the original.</source>
   <translation>Das Bild ist zu groß für die Trennlinie. Halten Sie H gedrückt, um das Original zu sehen.</translation>
  </message>
  <message>
   <source>The pixel size is unknown. Set it at the top of the dock.</source>
   <translation>Die Pixelgröße ist unbekannt. Setzen Sie sie oben im Fenster.</translation>
  </message>
  <message>
   <source>The pixels of this variant are missing from the cache, or damaged. Generate it again with the same seed and settings.</source>
   <translation>Die Pixel dieser Variante fehlen im Zwischenspeicher oder sind beschädigt. Erzeugen Sie sie mit demselben Seed und denselben Einstellungen erneut.</translation>
  </message>
  <message>
   <source>The processes share the GPU with this window. </source>
   <translation>Die Prozesse teilen sich die GPU mit diesem Fenster. </translation>
  </message>
  <message>
   <source>The region is larger than {0} × {1} px, the most that is segmented at once. Choose a smaller region, or import a mask.</source>
   <translation>Die Region ist größer als {0} × {1} px, die Grenze für eine Segmentierung. Wählen Sie eine kleinere Region, oder importieren Sie eine Maske.</translation>
  </message>
  <message>
   <source>The region was resized during the import. Import the cells again.</source>
   <translation>Die Größe der Region wurde während des Imports geändert. Importieren Sie die Zellen erneut.</translation>
  </message>
  <message>
   <source>The region was resized during the segmentation. Press “Segment nuclei” again.</source>
   <translation>Die Größe der Region wurde während der Segmentierung geändert. Drücken Sie noch einmal „Kerne segmentieren“.</translation>
  </message>
  <message>
   <source>The report was saved as {0}.</source>
   <translation>Der Bericht wurde als {0} gespeichert.</translation>
  </message>
  <message>
   <source>The rough arrangement stays. Most cells are new.</source>
   <translation>Die grobe Anordnung bleibt. Die meisten Zellen sind neu.</translation>
  </message>
  <message>
   <source>The session “{0}” belongs to the layer “{1}”. Open that image in napari, then open the session again.</source>
   <translation>Die Sitzung „{0}“ gehört zur Ebene „{1}“. Öffnen Sie dieses Bild in napari, und dann die Sitzung.</translation>
  </message>
  <message>
   <source>The session “{0}” is damaged. Restore the folder from a backup.</source>
   <translation>Die Sitzung „{0}“ ist beschädigt. Stellen Sie den Ordner aus einer Sicherung wieder her.</translation>
  </message>
  <message>
   <source>The session “{0}” names no slide. Restore the folder from a backup.</source>
   <translation>Die Sitzung „{0}“ nennt keinen Schnitt. Stellen Sie den Ordner aus einer Sicherung wieder her.</translation>
  </message>
  <message>
   <source>The session “{0}” was made at {1} µm/px, and the slide has another pixel size now. Close the slide, then open the session again.</source>
   <translation>Die Sitzung „{0}“ entstand bei {1} µm/px, der Schnitt hat jetzt eine andere Pixelgröße. Schließen Sie den Schnitt, und öffnen Sie die Sitzung erneut.</translation>
  </message>
  <message>
   <source>The session “{0}” was saved by a newer napari-pixcell (format {1}, this version reads up to {2}). Update napari-pixcell.</source>
   <translation>Die Sitzung „{0}“ wurde von einer neueren Version gespeichert (Format {1}, diese Version liest bis {2}). Aktualisieren Sie napari-pixcell.</translation>
  </message>
  <message>
   <source>The sheet cannot be written ({0}). Choose another folder.</source>
   <translation>Die Übersicht kann nicht geschrieben werden ({0}). Wählen Sie einen anderen Ordner.</translation>
  </message>
  <message>
   <source>The slide is being opened</source>
   <translation>Der Schnitt wird geöffnet</translation>
  </message>
  <message>
   <source>The slide is damaged: its sizes are not positive numbers.</source>
   <translation>Der Schnitt ist beschädigt: seine Größen sind keine positiven Zahlen.</translation>
  </message>
  <message>
   <source>The slide is damaged: {0}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The slide is too small for this model</source>
   <translation>Der Schnitt ist für dieses Modell zu klein</translation>
  </message>
  <message>
   <source>The slide of this session, “{0}”, was moved or replaced. Choose its present file.</source>
   <translation>Der Schnitt dieser Sitzung, „{0}“, wurde verschoben oder ersetzt. Wählen Sie seine jetzige Datei.</translation>
  </message>
  <message>
   <source>The smallest cell area is {0} µm², but the whole region has {1} µm². Choose a smaller one.</source>
   <translation>Die kleinste Zellfläche ist {0} µm², die ganze Region hat aber {1} µm². Wählen Sie eine kleinere.</translation>
  </message>
  <message>
   <source>The smallest cell area is {0} µm². Choose 0 or more.</source>
   <translation>Die kleinste Zellfläche ist {0} µm². Wählen Sie 0 oder mehr.</translation>
  </message>
  <message>
   <source>The source of a layout cannot be read ({0}). Use an unedited file.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The style is the region's embedding, one vector for each tile</source>
   <translation>Der Stil ist die Einbettung der Region, ein Vektor für jede Kachel</translation>
  </message>
  <message>
   <source>The styles of a region cannot be read. Choose its style again.</source>
   <translation>Die Stile einer Region sind nicht lesbar. Wählen Sie ihren Stil erneut.</translation>
  </message>
  <message>
   <source>The tissue is not in memory. Hold H to see the original.</source>
   <translation>Das Gewebe ist nicht im Speicher. Halten Sie H gedrückt, um das Original zu sehen.</translation>
  </message>
  <message>
   <source>The tissue of a region defines the style.</source>
   <translation>Das Gewebe einer Region bestimmt den Stil.</translation>
  </message>
  <message>
   <source>The training of a control has ended.</source>
   <translation>Das Training einer Steuerung ist beendet.</translation>
  </message>
  <message>
   <source>The variant shown belongs to another position</source>
   <translation>Die gezeigte Variante gehört zu einer anderen Stelle</translation>
  </message>
  <message>
   <source>The {0} is {1}. Choose one from {2} to {3}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>There are no cells</source>
   <translation>Es gibt keine Zellen</translation>
  </message>
  <message>
   <source>There are no cells yet: segment, paint or import some</source>
   <translation>Noch gibt es keine Zellen: segmentieren, malen oder importieren Sie welche</translation>
  </message>
  <message>
   <source>There are no figures for Cellpose</source>
   <translation>Für Cellpose gibt es keine Vergleichszahlen</translation>
  </message>
  <message>
   <source>There is no other style. Add a region, or a style from an image in the ⋯ menu.</source>
   <translation>Es gibt keinen anderen Stil. Fügen Sie eine Region hinzu, oder im Menü ⋯ einen Stil aus einem Bild.</translation>
  </message>
  <message>
   <source>There is no pairing “{0}”. Choose one of: {1}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>There is no preset “{0}”; choose one of: {1}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>There is no session “{0}”. Check its name and folder.</source>
   <translation>Es gibt keine Sitzung „{0}“. Prüfen Sie Namen und Ordner.</translation>
  </message>
  <message>
   <source>There is no style to save yet</source>
   <translation>Es gibt noch keinen Stil zum Speichern</translation>
  </message>
  <message>
   <source>These cells are far {0} than nuclei ({1}), so the image may not follow them. Check the pixel size, or {2}.</source>
   <translation>Diese Zellen sind viel {0} als Kerne ({1}), deshalb folgt das Bild ihnen vielleicht nicht. Prüfen Sie die Pixelgröße, oder {2}.</translation>
  </message>
  <message>
   <source>These cells are too far apart to merge. Paint between them first: Brush, with Shift.</source>
   <translation>Diese Zellen liegen zu weit auseinander, um sie zu verbinden. Malen Sie erst dazwischen: Pinsel, mit Umschalt.</translation>
  </message>
  <message>
   <source>These variants exist already. Unlock the seed, or change the style, layout or settings.</source>
   <translation>Diese Varianten gibt es schon. Lösen Sie das Schloss am Seed, oder ändern Sie Stil, Layout oder Einstellungen.</translation>
  </message>
  <message>
   <source>They continue</source>
   <translation>Es geht weiter</translation>
  </message>
  <message>
   <source>They continue when this window is closed. Cancel them here to stop them.</source>
   <translation>Sie laufen weiter, wenn dieses Fenster geschlossen wird. Brechen Sie sie hier ab, um sie anzuhalten.</translation>
  </message>
  <message>
   <source>This dataset is in the queue already.</source>
   <translation>Dieser Datensatz steht schon in der Warteschlange.</translation>
  </message>
  <message>
   <source>This is not an address. Enter one that starts with https:// or http://.</source>
   <translation>Das ist keine Adresse. Geben Sie eine ein, die mit https:// oder http:// beginnt.</translation>
  </message>
  <message>
   <source>This slide is not a file. Select regions as styles</source>
   <translation>Dieser Schnitt ist keine Datei. Wählen Sie Regionen als Stile</translation>
  </message>
  <message>
   <source>This variant</source>
   <translation>Diese Variante</translation>
  </message>
  <message>
   <source>Thresholds</source>
   <translation>Schwellen</translation>
  </message>
  <message>
   <source>Tiles of {0} px at {1} µm/px, {2} per tile, {3}. </source>
   <translation>Kacheln von {0} px bei {1} µm/px, {2} je Kachel, {3}. </translation>
  </message>
  <message>
   <source>Time for the repair of a variant, in s, after which no round begins. 0 is no limit.</source>
   <translation>Zeit für die Reparatur einer Variante, in s. Danach beginnt keine Runde mehr. 0 heißt ohne Grenze.</translation>
  </message>
  <message>
   <source>Tissue</source>
   <translation>Gewebe</translation>
  </message>
  <message>
   <source>Tissue area</source>
   <translation>Gewebefläche</translation>
  </message>
  <message>
   <source>Train a LoRA adapter as well: better images, but far slower. Without it, only the style embeddings are mapped.</source>
   <translation>Zusätzlich einen LoRA-Adapter trainieren: bessere Bilder, aber viel langsamer. Ohne ihn werden nur die Stil-Einbettungen abgebildet.</translation>
  </message>
  <message>
   <source>Train a control</source>
   <translation>Steuerung trainieren</translation>
  </message>
  <message>
   <source>Train a control…</source>
   <translation>Steuerung trainieren…</translation>
  </message>
  <message>
   <source>Train a small segmenter on your labelled tiles with and without the pairs</source>
   <translation>Ein kleines Segmentierungsmodell auf Ihren Kacheln mit und ohne die Paare trainieren</translation>
  </message>
  <message>
   <source>Train a stain…</source>
   <translation>Färbung trainieren…</translation>
  </message>
  <message>
   <source>Train a virtual stain</source>
   <translation>Virtuelle Färbung trainieren</translation>
  </message>
  <message>
   <source>Train a virtual stain on your own pairs of images</source>
   <translation>Eine virtuelle Färbung auf eigenen Bildpaaren trainieren</translation>
  </message>
  <message>
   <source>Train model</source>
   <translation>Modell trainieren</translation>
  </message>
  <message>
   <source>Train on pairs of H&amp;E and IHC images of the same fields of view. It takes minutes on a GPU and can be stopped and resumed.</source>
   <translation>Auf Paaren von H&amp;E- und IHC-Bildern derselben Gesichtsfelder trainieren. Das dauert Minuten auf einer GPU und lässt sich anhalten und fortsetzen.</translation>
  </message>
  <message>
   <source>Train on these pairs and add the model to yours</source>
   <translation>Auf diesen Paaren trainieren und das Modell zu Ihren hinzufügen</translation>
  </message>
  <message>
   <source>Train on these pairs and add the stain to yours</source>
   <translation>Auf diesen Paaren trainieren und die Färbung zu Ihren hinzufügen</translation>
  </message>
  <message>
   <source>Train stain</source>
   <translation>Färbung trainieren</translation>
  </message>
  <message>
   <source>Train the generator too (LoRA)</source>
   <translation>Auch den Generator trainieren (LoRA)</translation>
  </message>
  <message>
   <source>Train the model that places cells on your own images and masks, with their classes</source>
   <translation>Das Modell, das Zellen anordnet, auf eigenen Bildern und Masken trainieren, mit deren Klassen</translation>
  </message>
  <message>
   <source>Train the model that places cells on your own images and masks. A small model takes minutes to hours, a large one needs a GPU. Training can be stopped and resumed, and goes on while this window is closed.</source>
   <translation>Das Modell, das Zellen anordnet, auf eigenen Bildern und Masken trainieren. Ein kleines Modell braucht Minuten bis Stunden, ein großes eine GPU. Das Training lässt sich anhalten und fortsetzen, und läuft weiter, wenn dieses Fenster geschlossen ist.</translation>
  </message>
  <message>
   <source>Train {0}</source>
   <translation>{0} trainieren</translation>
  </message>
  <message>
   <source>Training is under way</source>
   <translation>Das Training läuft</translation>
  </message>
  <message>
   <source>Training steps</source>
   <translation>Trainingsschritte</translation>
  </message>
  <message>
   <source>Training stopped. Train again to resume.</source>
   <translation>Das Training wurde angehalten. Ein neues Training setzt es fort.</translation>
  </message>
  <message>
   <source>Try the first {0}…</source>
   <translation>Die ersten {0} probieren…</translation>
  </message>
  <message>
   <source>Try the sample</source>
   <translation>Beispiel ausprobieren</translation>
  </message>
  <message>
   <source>Undecided</source>
   <translation>Unentschieden</translation>
  </message>
  <message>
   <source>Undo</source>
   <translation>Zurück</translation>
  </message>
  <message>
   <source>Undo discard</source>
   <translation>Verwerfen rückgängig machen</translation>
  </message>
  <message>
   <source>Undo the last decision (U, Ctrl+Z)</source>
   <translation>Letzte Entscheidung rückgängig machen (U, Strg+Z)</translation>
  </message>
  <message>
   <source>Undo the last decision (also Ctrl+Z; Ctrl+Y to redo)</source>
   <translation>Letzte Entscheidung rückgängig machen (auch Strg+Z; Strg+Y wiederholt)</translation>
  </message>
  <message>
   <source>Undo the last stroke, import or segmentation (Ctrl+Z)</source>
   <translation>Letzten Strich, Import oder letzte Segmentierung rückgängig machen (Strg+Z)</translation>
  </message>
  <message>
   <source>Unload model after</source>
   <translation>Modell entladen nach</translation>
  </message>
  <message>
   <source>Unload the model after this time; “Memory and preferences…” unloads it at once</source>
   <translation>Das Modell nach dieser Zeit entladen; „Speicher und Einstellungen…“ entlädt es sofort</translation>
  </message>
  <message>
   <source>Update a quick preview after each stroke or change. It is discarded unless you keep it.</source>
   <translation>Nach jedem Strich und jeder Änderung eine schnelle Vorschau zeigen. Sie wird verworfen, wenn Sie sie nicht behalten.</translation>
  </message>
  <message>
   <source>Use</source>
   <translation>Verwenden</translation>
  </message>
  <message>
   <source>Use a copy of the sample data, on a machine without internet access</source>
   <translation>Eine Kopie der Beispieldaten verwenden, auf einem Rechner ohne Internet</translation>
  </message>
  <message>
   <source>Use a folder…</source>
   <translation>Ordner verwenden…</translation>
  </message>
  <message>
   <source>Use as style</source>
   <translation>Als Stil verwenden</translation>
  </message>
  <message>
   <source>Use as style of {0}</source>
   <translation>Als Stil von {0} verwenden</translation>
  </message>
  <message>
   <source>Use patches that TRIDENT or CLAM embedded. You can also drop the file.</source>
   <translation>Patches verwenden, die TRIDENT oder CLAM eingebettet hat. Sie können die Datei auch hier ablegen.</translation>
  </message>
  <message>
   <source>Use region as {0}</source>
   <translation>Region als {0} verwenden</translation>
  </message>
  <message>
   <source>Use style of an image</source>
   <translation>Stil eines Bildes verwenden</translation>
  </message>
  <message>
   <source>Use the active region as {0}. With one of each, the pair is added.</source>
   <translation>Die aktive Region als {0} verwenden. Mit je einer ist das Paar vollständig.</translation>
  </message>
  <message>
   <source>Use the tissue of an image file as a style. You can also drop it here.</source>
   <translation>Das Gewebe einer Bilddatei als Stil verwenden. Sie können sie auch hier ablegen.</translation>
  </message>
  <message>
   <source>Use these settings</source>
   <translation>Diese Einstellungen verwenden</translation>
  </message>
  <message>
   <source>Use this model in the studio</source>
   <translation>Dieses Modell im Studio verwenden</translation>
  </message>
  <message>
   <source>Use this pair even if it is flagged, and go to the next (A)</source>
   <translation>Dieses Paar verwenden, auch wenn es auffällt, und zum nächsten gehen (A)</translation>
  </message>
  <message>
   <source>Use this seed</source>
   <translation>Diesen Seed verwenden</translation>
  </message>
  <message>
   <source>Used in file names and records. Enter nothing that could identify a patient.</source>
   <translation>Steht in Dateinamen und Protokollen. Geben Sie nichts ein, was einen Patienten erkennen ließe.</translation>
  </message>
  <message>
   <source>Values to compare, such as {0}. Leave empty for the current one.</source>
   <translation>Werte zum Vergleich, etwa {0}. Leer lassen für den aktuellen.</translation>
  </message>
  <message>
   <source>Variant · seed {0}</source>
   <translation>Variante · Seed {0}</translation>
  </message>
  <message>
   <source>Variants</source>
   <translation>Varianten</translation>
  </message>
  <message>
   <source>Variants appear here, and exactly over their region.</source>
   <translation>Varianten erscheinen hier, und genau über ihrer Region.</translation>
  </message>
  <message>
   <source>Variations</source>
   <translation>Abwandlungen</translation>
  </message>
  <message>
   <source>Vary cells</source>
   <translation>Zellen variieren</translation>
  </message>
  <message>
   <source>Vary cells of the active region</source>
   <translation>Zellen der aktiven Region variieren</translation>
  </message>
  <message>
   <source>Varying</source>
   <translation>Variieren</translation>
  </message>
  <message>
   <source>Verdict</source>
   <translation>Urteil</translation>
  </message>
  <message>
   <source>Verify</source>
   <translation>Prüfen</translation>
  </message>
  <message>
   <source>Verify first</source>
   <translation>Prüfen Sie zuerst</translation>
  </message>
  <message>
   <source>Verify {0}</source>
   <translation>{0} überprüfen</translation>
  </message>
  <message>
   <source>Verify…</source>
   <translation>Überprüfen…</translation>
  </message>
  <message>
   <source>Virtual IHC, and scores of real and virtual IHC</source>
   <translation>Virtuelle IHC, und Scores echter und virtueller IHC</translation>
  </message>
  <message>
   <source>Virtual stain</source>
   <translation>Virtuelle Färbung</translation>
  </message>
  <message>
   <source>Virtual {0}</source>
   <translation>Virtuelles {0}</translation>
  </message>
  <message>
   <source>WARN</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Wait until the region is embedded</source>
   <translation>Warten Sie, bis die Region eingebettet ist</translation>
  </message>
  <message>
   <source>Waiting for the model</source>
   <translation>Warten auf das Modell</translation>
  </message>
  <message>
   <source>Waiting for the worker</source>
   <translation>Warten auf den Arbeitsprozess</translation>
  </message>
  <message>
   <source>Weakly positive nuclei</source>
   <translation>Schwach positive Kerne</translation>
  </message>
  <message>
   <source>WebDataset: tar files of 1,000 pairs each</source>
   <translation>WebDataset: tar-Dateien mit je 1.000 Paaren</translation>
  </message>
  <message>
   <source>Weights are searched for in {0} first.</source>
   <translation>Gewichte werden zuerst in {0} gesucht.</translation>
  </message>
  <message>
   <source>What GPUs of the usual sizes can train</source>
   <translation>Was GPUs der üblichen Größen trainieren können</translation>
  </message>
  <message>
   <source>What the model sees of the layout, and how it follows it</source>
   <translation>Was das Modell vom Layout sieht, und wie es ihm folgt</translation>
  </message>
  <message>
   <source>Where</source>
   <translation>Ort</translation>
  </message>
  <message>
   <source>Where is “{0}”?</source>
   <translation>Wo ist „{0}“?</translation>
  </message>
  <message>
   <source>Where pairs are made. Processes of this machine or a cluster outlive the window</source>
   <translation>Wo Paare erzeugt werden. Prozesse dieses Rechners oder ein Cluster überdauern das Fenster</translation>
  </message>
  <message>
   <source>Where to make it</source>
   <translation>Wo er erzeugt wird</translation>
  </message>
  <message>
   <source>While a tool other than Select is active, 1 – 7 choose napari's own tools. A variant that is shown returns to Select.</source>
   <translation>Solange ein anderes Werkzeug als Auswahl aktiv ist, wählen 1 – 7 die Werkzeuge von napari. Wird eine Variante gezeigt, ist wieder Auswahl aktiv.</translation>
  </message>
  <message>
   <source>Width over which the area blends into the old image</source>
   <translation>Breite, über die der Bereich in das alte Bild übergeht</translation>
  </message>
  <message>
   <source>With extra nuclei</source>
   <translation>Mit überzähligen Kernen</translation>
  </message>
  <message>
   <source>With nuclei not placed</source>
   <translation>Mit nicht gesetzten Kernen</translation>
  </message>
  <message>
   <source>Without a layout, cell positions are not preserved.</source>
   <translation>Ohne Layout bleiben die Orte der Zellen nicht erhalten.</translation>
  </message>
  <message>
   <source>Without masks</source>
   <translation>Ohne Masken</translation>
  </message>
  <message>
   <source>Working…</source>
   <translation>In Arbeit…</translation>
  </message>
  <message>
   <source>Write a one-page report and open it in the browser</source>
   <translation>Einen Bericht von einer Seite schreiben und im Browser öffnen</translation>
  </message>
  <message>
   <source>Write images, masks and their records to a folder</source>
   <translation>Bilder, Masken und ihre Protokolle in einen Ordner schreiben</translation>
  </message>
  <message>
   <source>Write images/, masks/ and manifest.jsonl. Every file is marked as synthetic.</source>
   <translation>Schreibt images/, masks/ und manifest.jsonl. Jede Datei ist als synthetisch gekennzeichnet.</translation>
  </message>
  <message>
   <source>Write report</source>
   <translation>Bericht schreiben</translation>
  </message>
  <message>
   <source>Write the accepted pairs in the format of another program</source>
   <translation>Die angenommenen Paare im Format eines anderen Programms schreiben</translation>
  </message>
  <message>
   <source>Writing the report</source>
   <translation>Der Bericht wird geschrieben</translation>
  </message>
  <message>
   <source>Wrote {0} cells to {1}.</source>
   <translation>{0} Zellen wurden nach {1} geschrieben.</translation>
  </message>
  <message>
   <source>Wrote {0} images and {1} masks to {2}.</source>
   <translation>{0} Bilder und {1} Masken wurden nach {2} geschrieben.</translation>
  </message>
  <message>
   <source>Xvfb</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>YOLO segmentation: images, and polygons in text files</source>
   <translation>YOLO segmentation: Bilder, und Polygone in Textdateien</translation>
  </message>
  <message>
   <source>Your own Cellpose 4 model; choose this entry again for another file</source>
   <translation>Ihr eigenes Cellpose-4-Modell; wählen Sie den Eintrag erneut für eine andere Datei</translation>
  </message>
  <message>
   <source>Your work cannot be saved there ({0}). Choose another folder.</source>
   <translation>Ihre Arbeit kann dort nicht gespeichert werden ({0}). Wählen Sie einen anderen Ordner.</translation>
  </message>
  <message>
   <source>Your work continued while the dock was closed.</source>
   <translation>Ihre Arbeit ging weiter, während das Fenster geschlossen war.</translation>
  </message>
  <message>
   <source>Your work is being saved again.</source>
   <translation>Ihre Arbeit wird wieder gespeichert.</translation>
  </message>
  <message>
   <source>Your work is not being saved ({0}). Free some disk space, or choose another folder by “Save session as…” in the ⋯ menu. Saving is retried.</source>
   <translation>Ihre Arbeit wird nicht gespeichert ({0}). Geben Sie Speicherplatz frei, oder wählen Sie mit „Sitzung speichern unter…“ im Menü ⋯ einen anderen Ordner. Das Speichern wird erneut versucht.</translation>
  </message>
  <message>
   <source>Your work is saved as “{0}”.</source>
   <translation>Ihre Arbeit ist als „{0}“ gespeichert.</translation>
  </message>
  <message>
   <source>Your work is saved automatically in {0}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Your work is saved automatically once you add a region.</source>
   <translation>Ihre Arbeit wird automatisch gespeichert, sobald Sie eine Region hinzufügen.</translation>
  </message>
  <message>
   <source>Your work of {0} is saved: {1}.</source>
   <translation>Ihre Arbeit an {0} ist gespeichert: {1}.</translation>
  </message>
  <message>
   <source>Your work on this slide is no longer saved. The saved session stays.</source>
   <translation>Ihre Arbeit an diesem Schnitt wird nicht mehr gespeichert. Die gespeicherte Sitzung bleibt.</translation>
  </message>
  <message>
   <source>Your work on this slide is not saved.</source>
   <translation>Ihre Arbeit an diesem Schnitt wird nicht gespeichert.</translation>
  </message>
  <message>
   <source>Your work on this slide is saved automatically.</source>
   <translation>Ihre Arbeit an diesem Schnitt wird automatisch gespeichert.</translation>
  </message>
  <message>
   <source>[A-Za-zÀ-ÿ]{3}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>a picture cannot be read: %s</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>about {0}</source>
   <translation>etwa {0}</translation>
  </message>
  <message>
   <source>action-{0}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>all regions here</source>
   <translation>alle Regionen hier</translation>
  </message>
  <message>
   <source>all saved styles</source>
   <translation>alle gespeicherten Stile</translation>
  </message>
  <message>
   <source>any</source>
   <translation>beliebig</translation>
  </message>
  <message>
   <source>are</source>
   <translation>werden</translation>
  </message>
  <message>
   <source>as the first class</source>
   <translation>wie die erste Klasse</translation>
  </message>
  <message>
   <source>at least {0}</source>
   <translation>mindestens {0}</translation>
  </message>
  <message>
   <source>at most {0}</source>
   <translation>höchstens {0}</translation>
  </message>
  <message>
   <source>balanced</source>
   <translation>ausgewogen</translation>
  </message>
  <message>
   <source>built-in method</source>
   <translation>eingebaute Methode</translation>
  </message>
  <message>
   <source>bundled</source>
   <translation>mitgeliefert</translation>
  </message>
  <message>
   <source>cancel embed</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>cancel invent</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>cancel segment</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>cancel similar</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>cancel training</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>cancelled</source>
   <translation>abgebrochen</translation>
  </message>
  <message>
   <source>cancelled, {0} made</source>
   <translation>abgebrochen, {0} erzeugt</translation>
  </message>
  <message>
   <source>cancelled, {0} pairs are kept</source>
   <translation>abgebrochen, {0} Paare bleiben</translation>
  </message>
  <message>
   <source>cancelling, {0}</source>
   <translation>wird abgebrochen, {0}</translation>
  </message>
  <message>
   <source>cannot
be read</source>
   <translation>nicht
lesbar</translation>
  </message>
  <message>
   <source>cell diameter</source>
   <translation>Zelldurchmesser</translation>
  </message>
  <message>
   <source>cell probability threshold</source>
   <translation>Schwelle der Zellwahrscheinlichkeit</translation>
  </message>
  <message>
   <source>cells of the styles' tissue</source>
   <translation>Zellen im Gewebe der Stile</translation>
  </message>
  <message>
   <source>cells of {0}</source>
   <translation>Zellen von {0}</translation>
  </message>
  <message>
   <source>ckpts/lora/{0}_lora.pth</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>ckpts/mlp/{0}_mlp.pth</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>cluster.toml or tcp://host:8786</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>const float center = 0.04;</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>const float center = 0.5;</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>current value</source>
   <translation>aktueller Wert</translation>
  </message>
  <message>
   <source>custom values</source>
   <translation>eigene Werte</translation>
  </message>
  <message>
   <source>dataset place</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>dataset {0}</source>
   <translation>Datensatz {0}</translation>
  </message>
  <message>
   <source>direction of the order</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>does not support layouts</source>
   <translation>versteht keine Layouts</translation>
  </message>
  <message>
   <source>done after {0} s</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>done, {0} pairs</source>
   <translation>fertig, {0} Paare</translation>
  </message>
  <message>
   <source>each layout with the tissue it comes from, or the most similar tissue</source>
   <translation>jedes Layout mit dem Gewebe, aus dem es stammt, oder dem ähnlichsten</translation>
  </message>
  <message>
   <source>each style with each layout</source>
   <translation>jeder Stil mit jedem Layout</translation>
  </message>
  <message>
   <source>exact</source>
   <translation>genau</translation>
  </message>
  <message>
   <source>export name</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>failed</source>
   <translation>fehlgeschlagen</translation>
  </message>
  <message>
   <source>few cells</source>
   <translation>wenige Zellen</translation>
  </message>
  <message>
   <source>file of a session</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>file of features</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>first seed</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>flow threshold</source>
   <translation>Flussschwelle</translation>
  </message>
  <message>
   <source>folder of pairs</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>folder {0}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>found in it</source>
   <translation>darin gefunden</translation>
  </message>
  <message>
   <source>full</source>
   <translation>voll</translation>
  </message>
  <message>
   <source>gentle</source>
   <translation>sanft</translation>
  </message>
  <message>
   <source>grid of {0} pictures</source>
   <translation>Raster von {0} Bildern</translation>
  </message>
  <message>
   <source>guidance {0}</source>
   <translation>Guidance {0}</translation>
  </message>
  <message>
   <source>imported</source>
   <translation>importiert</translation>
  </message>
  <message>
   <source>imported from {0}</source>
   <translation>importiert aus {0}</translation>
  </message>
  <message>
   <source>in own processes</source>
   <translation>in eigenen Prozessen</translation>
  </message>
  <message>
   <source>in the colours of their classes</source>
   <translation>in den Farben ihrer Klassen</translation>
  </message>
  <message>
   <source>in this window's model process</source>
   <translation>im Modellprozess dieses Fensters</translation>
  </message>
  <message>
   <source>invented</source>
   <translation>erfunden</translation>
  </message>
  <message>
   <source>invented layouts</source>
   <translation>erfundene Layouts</translation>
  </message>
  <message>
   <source>is</source>
   <translation>wird</translation>
  </message>
  <message>
   <source>its layout</source>
   <translation>dessen Layout</translation>
  </message>
  <message>
   <source>its own tissue</source>
   <translation>ihr eigenes Gewebe</translation>
  </message>
  <message>
   <source>its strips are incomplete</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>larger</source>
   <translation>größer</translation>
  </message>
  <message>
   <source>layout</source>
   <translation>Layout</translation>
  </message>
  <message>
   <source>layouts of the regions</source>
   <translation>Layouts der Regionen</translation>
  </message>
  <message>
   <source>least_{0}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>many cells</source>
   <translation>viele Zellen</translation>
  </message>
  <message>
   <source>median {0} µm², nuclei {1} to {2} µm²</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>mist_{0}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>module {0} has no attribute {1}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>most_{0}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>napari-pixcell demo</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>napari-pixcell demo: {0}
</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>napari-pixcell session</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>napari-pixcell {0}. For research use only. Not for diagnosis. All output is synthetic and marked as such. BSD-3-Clause; model weights have their own licences.</source>
   <translation>napari-pixcell {0}. Nur für die Forschung. Nicht für die Diagnostik. Alle Ergebnisse sind synthetisch und als solche gekennzeichnet. BSD-3-Clause; Modellgewichte haben ihre eigenen Lizenzen.</translation>
  </message>
  <message>
   <source>never</source>
   <translation>nie</translation>
  </message>
  <message>
   <source>new seeds</source>
   <translation>neue Seeds</translation>
  </message>
  <message>
   <source>next step</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>no limit</source>
   <translation>ohne Grenze</translation>
  </message>
  <message>
   <source>no mask</source>
   <translation>keine Maske</translation>
  </message>
  <message>
   <source>noise, as published</source>
   <translation>Rauschen, wie veröffentlicht</translation>
  </message>
  <message>
   <source>none</source>
   <translation>keine</translation>
  </message>
  <message>
   <source>not a generation</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not a label image</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not a label image of a session</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not a name</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not a picture of ours</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not a region</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not a size</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not a whole number</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not an array of numbers</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not installed</source>
   <translation>nicht installiert</translation>
  </message>
  <message>
   <source>nothing</source>
   <translation>nichts</translation>
  </message>
  <message>
   <source>nothing to generate</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>number of candidates</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>number of layouts</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>number of pairs</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>number of seeds</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>number of styles</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>off</source>
   <translation>aus</translation>
  </message>
  <message>
   <source>on a cluster</source>
   <translation>auf einem Cluster</translation>
  </message>
  <message>
   <source>on request</source>
   <translation>auf Anfrage</translation>
  </message>
  <message>
   <source>open/{0}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>or without a layout</source>
   <translation>oder ohne Layout</translation>
  </message>
  <message>
   <source>outline nuclei only</source>
   <translation>nur Kerne umreißen</translation>
  </message>
  <message>
   <source>painted</source>
   <translation>gemalt</translation>
  </message>
  <message>
   <source>pass the checks</source>
   <translation>bestehen die Prüfungen</translation>
  </message>
  <message>
   <source>passes the checks</source>
   <translation>besteht die Prüfungen</translation>
  </message>
  <message>
   <source>patch {0}</source>
   <translation>Patch {0}</translation>
  </message>
  <message>
   <source>pick patch</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>picture of a session</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>pictures/{0}.jpg</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>pixcell patches</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>pixel size</source>
   <translation>Pixelgröße</translation>
  </message>
  <message>
   <source>problem-{0}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>qtbase_{0}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>quick</source>
   <translation>schnell</translation>
  </message>
  <message>
   <source>redo</source>
   <translation>wiederholen</translation>
  </message>
  <message>
   <source>region {0}</source>
   <translation>Region {0}</translation>
  </message>
  <message>
   <source>remove style</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>remove the smallest cells</source>
   <translation>die kleinsten Zellen entfernen</translation>
  </message>
  <message>
   <source>replace</source>
   <translation>ersetzt</translation>
  </message>
  <message>
   <source>save sessions</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>saved sessions cannot be listed: %s</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>seed {0}</source>
   <translation>Seed {0}</translation>
  </message>
  <message>
   <source>segmented</source>
   <translation>segmentiert</translation>
  </message>
  <message>
   <source>segmented{0}</source>
   <translation>segmentiert{0}</translation>
  </message>
  <message>
   <source>series of {0} styles</source>
   <translation>Reihe von {0} Stilen</translation>
  </message>
  <message>
   <source>set all classes</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>setting “%s” is out of range: %r</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>shown</source>
   <translation>gezeigt</translation>
  </message>
  <message>
   <source>similar patch</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>smaller</source>
   <translation>kleiner</translation>
  </message>
  <message>
   <source>some cells</source>
   <translation>einige Zellen</translation>
  </message>
  <message>
   <source>stain-{0}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>starred</source>
   <translation>mit Stern</translation>
  </message>
  <message>
   <source>still busy after {0} s</source>
   <translation>nach {0} s noch beschäftigt</translation>
  </message>
  <message>
   <source>style {0}</source>
   <translation>Stil {0}</translation>
  </message>
  <message>
   <source>style='padding-right: 6px'</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>styles and layouts at random</source>
   <translation>Stile und Layouts zufällig</translation>
  </message>
  <message>
   <source>supports layouts</source>
   <translation>versteht Layouts</translation>
  </message>
  <message>
   <source>the area does not fit the region</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the built-in method</source>
   <translation>die eingebaute Methode</translation>
  </message>
  <message>
   <source>the last change</source>
   <translation>die letzte Änderung</translation>
  </message>
  <message>
   <source>the measurements belong to other nuclei</source>
   <translation>die Messungen gehören zu anderen Kernen</translation>
  </message>
  <message>
   <source>the oldest variant</source>
   <translation>die älteste Variante</translation>
  </message>
  <message>
   <source>the picked class</source>
   <translation>die gewählte Klasse</translation>
  </message>
  <message>
   <source>the picture is of another size than its target</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the place of the session cannot be remembered: %s</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the region</source>
   <translation>die Region</translation>
  </message>
  <message>
   <source>the runs beside the window cannot be listed</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the session cannot be saved</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the slide cannot be identified for its session: %s</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the slide cannot be read</source>
   <translation>der Schnitt kann nicht gelesen werden</translation>
  </message>
  <message>
   <source>the tissue</source>
   <translation>dem Gewebe</translation>
  </message>
  <message>
   <source>the variant shown</source>
   <translation>der gezeigten Variante</translation>
  </message>
  <message>
   <source>the whole slide</source>
   <translation>der ganze Schnitt</translation>
  </message>
  <message>
   <source>the {0} oldest variants</source>
   <translation>die {0} ältesten Varianten</translation>
  </message>
  <message>
   <source>there are too many sessions of this name</source>
   <translation>es gibt zu viele Sitzungen dieses Namens</translation>
  </message>
  <message>
   <source>this dock. Open PixCell studio again to follow it</source>
   <translation>dieses Fenster. Öffnen Sie PixCell studio wieder, um zu folgen</translation>
  </message>
  <message>
   <source>this window</source>
   <translation>dieses Fenster</translation>
  </message>
  <message>
   <source>tissue</source>
   <translation>Gewebe</translation>
  </message>
  <message>
   <source>tissue with added noise</source>
   <translation>Gewebe mit zugefügtem Rauschen</translation>
  </message>
  <message>
   <source>tissue, inverted to noise</source>
   <translation>Gewebe, in Rauschen umgekehrt</translation>
  </message>
  <message>
   <source>today {0}</source>
   <translation>heute {0}</translation>
  </message>
  <message>
   <source>training resumes with the same pairs</source>
   <translation>das Training wird mit denselben Paaren fortgesetzt</translation>
  </message>
  <message>
   <source>two dimensions</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>unexpected error</source>
   <translation>unerwarteter Fehler</translation>
  </message>
  <message>
   <source>up to </source>
   <translation>bis </translation>
  </message>
  <message>
   <source>use patch</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>variant was</source>
   <translation>Variante wurde</translation>
  </message>
  <message>
   <source>variants were</source>
   <translation>Varianten wurden</translation>
  </message>
  <message>
   <source>verification-{0}.json</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>virtual {0}</source>
   <translation>virtuelle {0}</translation>
  </message>
  <message>
   <source>waiting</source>
   <translation>wartend</translation>
  </message>
  <message>
   <source>waiting job was</source>
   <translation>wartender Auftrag wurde</translation>
  </message>
  <message>
   <source>waiting jobs were</source>
   <translation>wartende Aufträge wurden</translation>
  </message>
  <message>
   <source>waiting, {0} of {1} made</source>
   <translation>wartet, {0} von {1} erzeugt</translation>
  </message>
  <message>
   <source>was</source>
   <translation>war</translation>
  </message>
  <message>
   <source>were</source>
   <translation>waren</translation>
  </message>
  <message>
   <source>which this window uses too</source>
   <translation>die auch dieses Fenster verwendet</translation>
  </message>
  <message>
   <source>white</source>
   <translation>weiß</translation>
  </message>
  <message>
   <source>why disabled</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>window open after {0} s</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>with</source>
   <translation>mit</translation>
  </message>
  <message>
   <source>with masks</source>
   <translation>mit Masken</translation>
  </message>
  <message>
   <source>without encoder</source>
   <translation>ohne Encoder</translation>
  </message>
  <message>
   <source>without masks, segmented by {0}</source>
   <translation>ohne Masken, segmentiert mit: {0}</translation>
  </message>
  <message>
   <source>x (px)</source>
   <translation>x (px)</translation>
  </message>
  <message>
   <source>y (px)</source>
   <translation>y (px)</translation>
  </message>
  <message>
   <source>yesterday {0}</source>
   <translation>gestern {0}</translation>
  </message>
  <message>
   <source>your own files</source>
   <translation>eigene Dateien</translation>
  </message>
  <message>
   <source>{0}
{1}, {2} µm/px</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{0} (PixCell)</source>
   <translation>{0} (PixCell)</translation>
  </message>
  <message>
   <source>{0} (seed {1})</source>
   <translation>{0} (Seed {1})</translation>
  </message>
  <message>
   <source>{0} (this and the next eleven: while a layout is selected)</source>
   <translation>{0} (diese und die nächsten elf: solange ein Layout ausgewählt ist)</translation>
  </message>
  <message>
   <source>{0} ({1}): the class of new cells. While a cell is selected, it becomes the class of that cell. (Q picks the next)</source>
   <translation>{0} ({1}): die Klasse neuer Zellen. Ist eine Zelle ausgewählt, wird es die Klasse dieser Zelle. (Q wählt die nächste)</translation>
  </message>
  <message>
   <source>{0} Every seed gives the same picture.</source>
   <translation>{0} Jeder Seed gibt dasselbe Bild.</translation>
  </message>
  <message>
   <source>{0} GB</source>
   <translation>{0} GB</translation>
  </message>
  <message>
   <source>{0} MB</source>
   <translation>{0} MB</translation>
  </message>
  <message>
   <source>{0} The layout holds its cells.</source>
   <translation>{0} Das Layout hält seine Zellen.</translation>
  </message>
  <message>
   <source>{0} cell</source>
   <translation>{0} Zelle</translation>
  </message>
  <message>
   <source>{0} cells</source>
   <translation>{0} Zellen</translation>
  </message>
  <message>
   <source>{0} cells per mm² are denser than tissue, so the image may not follow them. Remove some cells.</source>
   <translation>{0} Zellen je mm² liegen dichter als in Gewebe, deshalb folgt das Bild ihnen vielleicht nicht. Entfernen Sie einige Zellen.</translation>
  </message>
  <message>
   <source>{0} changes{1}</source>
   <translation>{0} Änderungen{1}</translation>
  </message>
  <message>
   <source>{0} could not be read</source>
   <translation>{0} nicht lesbar</translation>
  </message>
  <message>
   <source>{0} could not be stored in {1} ({2}). Check the folder, then retry. Until then they are kept in memory.</source>
   <translation>{0} konnte in {1} nicht gespeichert werden ({2}). Prüfen Sie den Ordner und versuchen Sie es erneut. Bis dahin bleibt es im Speicher.</translation>
  </message>
  <message>
   <source>{0} days</source>
   <translation>{0} Tage</translation>
  </message>
  <message>
   <source>{0} decision</source>
   <translation>{0} Entscheidung</translation>
  </message>
  <message>
   <source>{0} decisions</source>
   <translation>{0} Entscheidungen</translation>
  </message>
  <message>
   <source>{0} discarded.</source>
   <translation>{0} verworfen.</translation>
  </message>
  <message>
   <source>{0} does not support layouts</source>
   <translation>{0} versteht keine Layouts</translation>
  </message>
  <message>
   <source>{0} does not support layouts.</source>
   <translation>{0} versteht keine Layouts.</translation>
  </message>
  <message>
   <source>{0} embedding</source>
   <translation>{0} Einbettung</translation>
  </message>
  <message>
   <source>{0} embeddings</source>
   <translation>{0} Einbettungen</translation>
  </message>
  <message>
   <source>{0} folder…</source>
   <translation>Ordner {0}…</translation>
  </message>
  <message>
   <source>{0} image</source>
   <translation>{0} Bild</translation>
  </message>
  <message>
   <source>{0} images</source>
   <translation>{0} Bilder</translation>
  </message>
  <message>
   <source>{0} is damaged</source>
   <translation>{0} ist beschädigt</translation>
  </message>
  <message>
   <source>{0} is installed.</source>
   <translation>{0} ist installiert.</translation>
  </message>
  <message>
   <source>{0} is making “{1}”. It is shown here.</source>
   <translation>{0} erzeugt „{1}“. Er ist hier zu sehen.</translation>
  </message>
  <message>
   <source>{0} is not embedded yet. Wait for it, or embed it.</source>
   <translation>{0} ist noch nicht eingebettet. Warten Sie darauf, oder betten Sie es ein.</translation>
  </message>
  <message>
   <source>{0} is not installed</source>
   <translation>{0} ist nicht installiert</translation>
  </message>
  <message>
   <source>{0} is not installed.</source>
   <translation>{0} ist nicht installiert.</translation>
  </message>
  <message>
   <source>{0} is not installed. Download it in the model manager.</source>
   <translation>{0} ist nicht installiert. Laden Sie es in der Modellverwaltung herunter.</translation>
  </message>
  <message>
   <source>{0} is not installed{1}</source>
   <translation>{0} ist nicht installiert{1}</translation>
  </message>
  <message>
   <source>{0} is not two-dimensional. Choose a layer of one plane.</source>
   <translation>{0} ist nicht zweidimensional. Wählen Sie eine Ebene mit einem Bild.</translation>
  </message>
  <message>
   <source>{0} job</source>
   <translation>{0} Auftrag</translation>
  </message>
  <message>
   <source>{0} jobs</source>
   <translation>{0} Aufträge</translation>
  </message>
  <message>
   <source>{0} kB</source>
   <translation>{0} kB</translation>
  </message>
  <message>
   <source>{0} left</source>
   <translation>noch {0}</translation>
  </message>
  <message>
   <source>{0} min</source>
   <translation>{0} min</translation>
  </message>
  <message>
   <source>{0} mm²</source>
   <translation>{0} mm²</translation>
  </message>
  <message>
   <source>{0} more in the ⋯ menu.</source>
   <translation>{0} weitere im Menü ⋯.</translation>
  </message>
  <message>
   <source>{0} needs its base: {1} is not installed</source>
   <translation>{0} braucht sein Basismodell: {1} ist nicht installiert</translation>
  </message>
  <message>
   <source>{0} of {1}</source>
   <translation>{0} von {1}</translation>
  </message>
  <message>
   <source>{0} of {1} on the slide lie in this region{2}.</source>
   <translation>{0} von {1} auf dem Schnitt liegen in dieser Region{2}.</translation>
  </message>
  <message>
   <source>{0} of {1} parts here</source>
   <translation>{0} von {1} Teilen vorhanden</translation>
  </message>
  <message>
   <source>{0} of {1} positions compared</source>
   <translation>{0} von {1} Stellen verglichen</translation>
  </message>
  <message>
   <source>{0} on {1} {2}; {3}. {4}</source>
   <translation>{0} auf {1} {2}; {3}. {4}</translation>
  </message>
  <message>
   <source>{0} pair</source>
   <translation>{0} Paar</translation>
  </message>
  <message>
   <source>{0} pairs</source>
   <translation>{0} Paare</translation>
  </message>
  <message>
   <source>{0} pairs are in “{1}”{2}.</source>
   <translation>{0} Paare sind in „{1}“{2}.</translation>
  </message>
  <message>
   <source>{0} pass the checks</source>
   <translation>{0} bestehen die Prüfungen</translation>
  </message>
  <message>
   <source>{0} passes the checks</source>
   <translation>{0} besteht die Prüfungen</translation>
  </message>
  <message>
   <source>{0} patch</source>
   <translation>{0} Patch</translation>
  </message>
  <message>
   <source>{0} patches</source>
   <translation>{0} Patches</translation>
  </message>
  <message>
   <source>{0} process</source>
   <translation>{0} Prozess</translation>
  </message>
  <message>
   <source>{0} processes</source>
   <translation>{0} Prozesse</translation>
  </message>
  <message>
   <source>{0} px</source>
   <translation>{0} px</translation>
  </message>
  <message>
   <source>{0} region</source>
   <translation>{0} Region</translation>
  </message>
  <message>
   <source>{0} regions</source>
   <translation>{0} Regionen</translation>
  </message>
  <message>
   <source>{0} regions were</source>
   <translation>{0} Regionen wurden</translation>
  </message>
  <message>
   <source>{0} removed.</source>
   <translation>{0} entfernt.</translation>
  </message>
  <message>
   <source>{0} similar: 100 % is identical, 0 % the average of the slide.
Click to go there. Right-click to add a region or use it as a style.</source>
   <translation>{0} ähnlich: 100 % ist gleich, 0 % der Durchschnitt des Schnitts.
Klick geht dorthin. Rechtsklick fügt eine Region hinzu oder verwendet den Stil.</translation>
  </message>
  <message>
   <source>{0} stain</source>
   <translation>{0} Färbung</translation>
  </message>
  <message>
   <source>{0} stains</source>
   <translation>{0} Färbungen</translation>
  </message>
  <message>
   <source>{0} stays: its files are in a folder of your own.</source>
   <translation>{0} bleibt: seine Dateien liegen in einem eigenen Ordner.</translation>
  </message>
  <message>
   <source>{0} steps</source>
   <translation>{0} Schritte</translation>
  </message>
  <message>
   <source>{0} takes no layout</source>
   <translation>{0} versteht keine Layouts</translation>
  </message>
  <message>
   <source>{0} tile</source>
   <translation>{0} Kachel</translation>
  </message>
  <message>
   <source>{0} tiles</source>
   <translation>{0} Kacheln</translation>
  </message>
  <message>
   <source>{0} variant</source>
   <translation>{0} Variante</translation>
  </message>
  <message>
   <source>{0} variant was</source>
   <translation>{0} Variante wurde</translation>
  </message>
  <message>
   <source>{0} variants</source>
   <translation>{0} Varianten</translation>
  </message>
  <message>
   <source>{0} variants were</source>
   <translation>{0} Varianten wurden</translation>
  </message>
  <message>
   <source>{0} waited when this session was saved.</source>
   <translation>{0} wartete, als diese Sitzung gespeichert wurde.</translation>
  </message>
  <message>
   <source>{0} waiting</source>
   <translation>{0} wartend</translation>
  </message>
  <message>
   <source>{0} waiting job was</source>
   <translation>{0} wartender Auftrag wurde</translation>
  </message>
  <message>
   <source>{0} waiting jobs were</source>
   <translation>{0} wartende Aufträge wurden</translation>
  </message>
  <message>
   <source>{0} was</source>
   <translation>{0} wurde</translation>
  </message>
  <message>
   <source>{0} was copied. On the other machine choose “Import a folder…”.</source>
   <translation>{0} wurde kopiert. Wählen Sie auf dem anderen Rechner „Ordner importieren…“.</translation>
  </message>
  <message>
   <source>{0} was removed. Files that other models use stay.</source>
   <translation>{0} wurde entfernt. Dateien, die andere Modelle brauchen, bleiben.</translation>
  </message>
  <message>
   <source>{0} without {1}.</source>
   <translation>{0} ohne {1}.</translation>
  </message>
  <message>
   <source>{0} {1} no class and {2} drawn {3}. {4}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{0} {1} replaced.</source>
   <translation>{0} {1} ersetzt.</translation>
  </message>
  <message>
   <source>{0} {1} still being made.</source>
   <translation>{0} {1} noch erzeugt.</translation>
  </message>
  <message>
   <source>{0} {1} the class “{2}”, which the model lacks.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{0} {1} threshold</source>
   <translation>{0} Schwelle {1}</translation>
  </message>
  <message>
   <source>{0} {1} used: those accepted, and those that pass the checks and are not rejected</source>
   <translation>{0} {1} verwendet: die angenommenen, und die, die die Prüfungen bestehen und nicht abgelehnt sind</translation>
  </message>
  <message>
   <source>{0} | seed {1}</source>
   <translation>{0} | Seed {1}</translation>
  </message>
  <message>
   <source>{0} µm/px ✎</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{0} · at most {1}</source>
   <translation>{0} · höchstens {1}</translation>
  </message>
  <message>
   <source>{0} · pair {1}</source>
   <translation>{0} · Paar {1}</translation>
  </message>
  <message>
   <source>{0} · {1} per mm² · median {2} µm²</source>
   <translation>{0} · {1} je mm² · Median {2} µm²</translation>
  </message>
  <message>
   <source>{0} · {1} µm/px</source>
   <translation>{0} · {1} µm/px</translation>
  </message>
  <message>
   <source>{0} · {1} · seed {2}</source>
   <translation>{0} · {1} · Seed {2}</translation>
  </message>
  <message>
   <source>{0} · {1} × {2} px · {3} µm</source>
   <translation>{0} · {1} × {2} px · {3} µm</translation>
  </message>
  <message>
   <source>{0} × {1} mm</source>
   <translation>{0} × {1} mm</translation>
  </message>
  <message>
   <source>{0} × {1} px</source>
   <translation>{0} × {1} px</translation>
  </message>
  <message>
   <source>{0} × {1} px, {2}</source>
   <translation>{0} × {1} px, {2}</translation>
  </message>
  <message>
   <source>{0}, all with a class.</source>
   <translation>{0}, alle mit einer Klasse.</translation>
  </message>
  <message>
   <source>{0}, expected {1}</source>
   <translation>{0}, erwartet {1}</translation>
  </message>
  <message>
   <source>{0}, generated as one job</source>
   <translation>{0}, als ein Auftrag erzeugt</translation>
  </message>
  <message>
   <source>{0}, then {1}</source>
   <translation>{0}, danach {1}</translation>
  </message>
  <message>
   <source>{0}, which belongs to {1}, exists. Choose another name.</source>
   <translation>{0} gehört zu {1} und ist schon da. Wählen Sie einen anderen Namen.</translation>
  </message>
  <message>
   <source>{0}, {1} in all</source>
   <translation>{0}, {1} insgesamt</translation>
  </message>
  <message>
   <source>{0}-seed{1}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{0}: {1}, generated as one image.</source>
   <translation>{0}: {1}, als ein Bild erzeugt.</translation>
  </message>
  <message>
   <source>{0}_masks.tif</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{0}bout {1}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{0}… {1} of {2} cells</source>
   <translation>{0}… {1} von {2} Zellen</translation>
  </message>
  <message>
   <source>“{0}/{1}” leads out of the session. Replace the link.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>“{0}” and its labels differ in size ({1} and {2} px). Choose labels of the same size.</source>
   <translation>„{0}“ und seine Labels sind verschieden groß ({1} und {2} px). Wählen Sie Labels derselben Größe.</translation>
  </message>
  <message>
   <source>“{0}” are no GPUs of this machine. Use some of: {1}</source>
   <translation>„{0}“ sind keine GPUs dieses Rechners. Verwenden Sie einige von: {1}</translation>
  </message>
  <message>
   <source>“{0}” bears another name than this slide. Check that it belongs to it.</source>
   <translation>„{0}“ heißt anders als dieser Schnitt. Prüfen Sie, ob die Datei zu ihm gehört.</translation>
  </message>
  <message>
   <source>“{0}” can be selected as a style now.</source>
   <translation>„{0}“ kann jetzt als Stil gewählt werden.</translation>
  </message>
  <message>
   <source>“{0}” contains no session. Choose a folder whose name ends in .pixcell.</source>
   <translation>„{0}“ enthält keine Sitzung. Wählen Sie einen Ordner mit der Endung .pixcell.</translation>
  </message>
  <message>
   <source>“{0}” holds no tissue colours. Save it again from its tissue to match them.</source>
   <translation>„{0}“ enthält keine Gewebefarben. Speichern Sie ihn erneut aus seinem Gewebe, um sie anzugleichen.</translation>
  </message>
  <message>
   <source>“{0}” is a synthetic variant. Export it in PixCell studio, which adds its record.</source>
   <translation>„{0}“ ist eine synthetische Variante. Exportieren Sie sie in PixCell studio, das ihr Protokoll hinzufügt.</translation>
  </message>
  <message>
   <source>“{0}” is damaged. Not restored: {1}. Restored: {2}. The damaged session is left unchanged, and your work is saved beside it.</source>
   <translation>„{0}“ ist beschädigt. Nicht wiederhergestellt: {1}. Wiederhergestellt: {2}. Die beschädigte Sitzung bleibt unverändert, Ihre Arbeit wird daneben gespeichert.</translation>
  </message>
  <message>
   <source>“{0}” is in “{1}”. Open it in a browser.</source>
   <translation>„{0}“ liegt in „{1}“. Öffnen Sie die Datei in einem Browser.</translation>
  </message>
  <message>
   <source>“{0}” is no file and no address such as tcp://host:8786</source>
   <translation>„{0}“ ist keine Datei und keine Adresse wie tcp://host:8786</translation>
  </message>
  <message>
   <source>“{0}” is not a segmentation method. Choose one of: {1}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>“{0}” is not an RGB image. Choose an RGB image and its labels.</source>
   <translation>„{0}“ ist kein RGB-Bild. Wählen Sie ein RGB-Bild und seine Labels.</translation>
  </message>
  <message>
   <source>“{0}” is not the slide of this session. Choose “{1}”.</source>
   <translation>„{0}“ ist nicht der Schnitt dieser Sitzung. Wählen Sie „{1}“.</translation>
  </message>
  <message>
   <source>“{0}” was opened: {1}. It is open in another window too, so what you do here is saved beside it, under another name.{2}</source>
   <translation>„{0}“ wurde geöffnet: {1}. Sie ist auch in einem anderen Fenster offen, deshalb wird Ihre Arbeit hier daneben unter einem anderen Namen gespeichert.{2}</translation>
  </message>
  <message>
   <source>“{0}” was opened: {1}.{2}</source>
   <translation>„{0}“ wurde geöffnet: {1}.{2}</translation>
  </message>
  <message>
   <source>“{0}” was removed.</source>
   <translation>„{0}“ wurde entfernt.</translation>
  </message>
  <message>
   <source>“{0}” was trained on {1} of {2}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>✓ Accept</source>
   <translation>✓ Annehmen</translation>
  </message>
  <message>
   <source>✓ embedded ({0})</source>
   <translation>✓ eingebettet ({0})</translation>
  </message>
  <message>
   <source>✕ Reject</source>
   <translation>✕ Ablehnen</translation>
  </message>
 </context>
</TS>
