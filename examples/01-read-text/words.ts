/** Words of the rendered lines. Content words are split between calibration and evaluation (text.ts), glue words are not. */

const CONTENT = `
able absence academy accent access account acid across action active actor address advance advice affair afternoon agency agenda agent
agreement airport album alert alley almond amber ancient anchor angle animal annual answer antenna apple april arch archive arena argument
armour arrival arrow article artist ash aspect assembly asset atlas attempt attic auction audience august author autumn avenue average award
axis bakery balance ballet bamboo banana banner barley barrel basement basket battery beach beacon bean bearing beauty bedroom behind bench
benefit berry beyond bicycle billion birch bishop blanket blossom board boiler border borough bottle bottom boulder boundary bracket branch
brass breakfast breeze brick bridge brief bright broad bronze brother brush bucket budget building bundle butter button cabin cabinet cable
calendar camera campaign canal candle canvas capital captain carbon career cargo carpet carriage carton castle casual catalog cattle caution
cedar ceiling cellar cement census central century ceramic certain chain chamber champion change channel chapel chapter charge charter
cherry chief chimney choice chorus church circle citizen civil classic clean clerk client climate clinic clock cloud coach coast cobalt coffee
collar collect colony column comfort command common company compass complete concert concrete condition conduct contact contract control
copper coral corner cottage cotton council counter country couple courage course cousin cover craft cream credit crew cricket crossing crown
crystal culture current curtain custom cycle dairy damage dance danger daughter dealer debate decade december decision declare deep defence
degree delivery demand deposit desert design desk detail device diamond digital dinner direct discount display distance district divide doctor
dolphin domain double dozen draft dragon drawer drawing driver dry dust eagle early earth east echo economy edge edition editor education effect
effort eight elbow election electric element elevator elite ember emerald emission empire empty engine enough entrance envelope equal error
estate evening event evidence exact example exchange exhibit exit expert export express extra fabric factory failure fair family famous farm
fashion father favour feather february federal fence ferry festival fiber field figure final finger finish firm fishing flame flavour fleet flight
floor flower focus folder force foreign forest formal format forty fortune forward foundation fountain frame freedom freight fresh friday friend
frontier frost fruit fuel function furniture future gallery garage garden garlic gasoline gate gateway gather general gentle genuine giant ginger
glacier glass global glove golden grain grand granite graph grass gravel great green grocery ground group growth guard guest guide guitar habit
hammer handle harbour hardware harvest hazard headline health heart heavy height helmet herald heritage highway hill history holiday hollow
honest honey horizon horse hospital hotel hour household human humble hundred hunter hybrid ice idea image impact import income index industry
inner input insect inside instant insurance interest interior invoice iron island item ivory jacket january jasmine jersey jewel joint journal
journey judge juice july jungle junior jury justice kernel kettle keyboard kingdom kitchen knight knowledge label laboratory ladder lake lamp
language lantern large laser later laundry lavender lawyer layer leader leather lecture legal legend lemon length lesson letter level liberty
library licence light limit linen liquid lobby local locker logic lounge lower loyal lumber lunar machine magnet main major manager manual maple
marble margin marine market master match material matter maximum meadow measure meat medal medicine medium melon member memory mercury message
metal method middle midnight military million mineral minimum minister minor minute mirror mission mixture mobile model modern module moment
monday monitor month monument morning mother motion motor mountain movement museum music mutual narrow nation native nature navy needle neighbour
network neutral night noble north notebook notice novel november nuclear number nursery object ocean october offer office olive open opera option
orange orbit orchard order organ origin outer output owner oxygen oyster package paint palace panel paper parade parcel parent parking partner
passage passport pasture patent pattern pavement payment pearl pencil people pepper perfect period permit person phone photo phrase physical piano
picture pilot pioneer planet plant plastic plate platform player plaza plenty pocket poem police policy polish pollen popular portable portrait
position postal potato powder power practice premium present press primary print priority private prize problem process produce product profile
profit program project promise proof property protect proud public pump purple purpose puzzle quality quarter queen query quick quiet quota rabbit
radar radio railway random rapid rather ready reason receipt record reform region regular relation remote rental repair report request rescue
reserve resort result retail return review reward ribbon rice rifle ring river robot rocket round route royal rubber rule runner rural saddle safety
sailor salad salmon sample satin saturday saucer savings scale scarlet scene school science screen script season second secret section sector
security segment senior sentence september series service session seven shadow shallow sheet shelter sheriff shield shipping shirt shore
shoulder shower signal silent silk silver simple single sister sketch skill sleeve slope smooth soccer social socket soft solar soldier solid
source south space spare special speed spice spiral spirit spoon spring square stable stadium staff stage stairs standard star station statue
steady steam steel stone storage store storm story straight stream street strong studio style subject sugar summary summer sunday sunset supply
support surface survey switch symbol system table tailor talent tank target tariff tavern teacher team temple tender terminal terrace territory
theatre theory thirty thousand thunder thursday ticket timber tissue title tobacco today tomato tonight topic torch total tourist tower track
trade traffic trail train transit travel treasure treaty tree trial tribute triple tropical trouble trust tuesday tunnel turbine twelve twenty
umbrella uncle under union unique unit universe update upper urban urgent useful usual vacant valley value vanilla various vehicle velvet vendor
venture verdict version vessel victory village vintage violet vision visitor volume voyage walnut warehouse warning water wealth weather
wednesday week weight welcome western wheat wheel whisper white window winter wisdom wonder wooden worker workshop world yellow yesterday young zero
`;

export const CONTENT_WORDS: readonly string[] = CONTENT.trim().split(/\s+/);

export const GLUE_WORDS: readonly string[] =
  'the of and to in a is that for it was on are as with his they at be this from or had by but what some we can out other were all your when up use how said an each she'.split(
    ' ',
  );

export const SURNAMES: readonly string[] =
  'Adams Baker Bennett Brooks Carter Clarke Cooper Dawson Ellis Fisher Foster Grant Harris Hughes Jensen Kelly Larsen Mason Murphy Nolan Palmer Quinn Reed Russell Shaw Turner Vaughan Walker Watson Young'.split(
    ' ',
  );

export const MONTHS: readonly string[] =
  'January February March April May June July August September October November December'.split(' ');

export const UNITS: readonly string[] = 'kg mm cm km m g ml kW V Hz MB GB mph days items pages'.split(' ');

export const LABELS: readonly string[] =
  'Total Subtotal Balance Amount Tax Price Invoice Order Ref Batch Model Serial Room Gate Table Page Part Lot Unit Level'.split(
    ' ',
  );
